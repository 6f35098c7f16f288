/** What the guides list is all that there is: settings, triggers, metrics, events of the log. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  botSettingNames,
  defaultLimits,
  ImportGroup,
  ImportMember,
  ImportMessage,
  ImportUser,
  importKinds,
  limits,
  TEST_TRIGGER,
  triggers,
  webhookTriggers,
} from '@confab/protocol'
import { expect, test } from 'vitest'
import { defaultBreaker } from '../packages/server/src/delivery/breaker.ts'
import { defaultSchedule, retryDelayMs } from '../packages/server/src/delivery/schedule.ts'
import { makeMetrics } from '../packages/server/src/workers/metrics.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const [callbacks, bots, operations] = ['callbacks', 'bots', 'operations'].map((name) => read(`docs/guides/${name}.md`))

/** What stands between two headings. */
const sectionOf = (text: string | undefined, title: string): string => {
  const [, section = ''] = new RegExp(`^#+ ${title}\\n([\\s\\S]*?)(?=^#+ |$(?![\\s\\S]))`, 'm').exec(text ?? '') ?? []
  if (section === '') throw new Error(`there is no section ${title}`)
  return section
}
/** Names in the first column of tables. */
const rowsOf = (section: string, name: RegExp): string[] =>
  [...section.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text).filter((text) => name.test(text)),
  )

test('every setting of a bot has its row', () => {
  const rows = rowsOf(sectionOf(bots, 'Settings'), /^\w+$/)
  expect(rows.toSorted()).toEqual(botSettingNames.toSorted())
})

test('every field of a row that is imported is named, with whether it must be there', () => {
  const guide = read('docs/guides/import.md')
  const shapes = { user: ImportUser, group: ImportGroup, member: ImportMember, message: ImportMessage }
  for (const kind of importKinds) {
    const [, required = '', ...others] = new RegExp(`^\\| \`${kind}\` \\|(.*)\\|(.*)\\|(.*)\\|$`, 'm').exec(guide) ?? []
    const named = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
    // Messages' own documented codes say what is wrong with these.
    const ownCodes = kind === 'message' ? ['receiver', 'receiverType'] : []
    expect(named(required).toSorted()).toEqual([...(shapes[kind].required ?? []), ...ownCodes].toSorted())
    const rest = named(others.join(' ')).filter((name) => name !== 'password' || kind === 'group')
    expect([...new Set([...named(required), ...rest])].toSorted()).toEqual(
      Object.keys(shapes[kind].properties).toSorted(),
    )
  }
  expect(guide).toContain(`Up to ${defaultLimits.importRows} rows a call`)
})

test('every trigger has its row, and the one of tests is named', () => {
  expect(rowsOf(sectionOf(callbacks, 'Other triggers'), /^\w+$/).toSorted()).toEqual(triggers.toSorted())
  expect(sectionOf(callbacks, 'Does it work\\?')).toContain(`\`${TEST_TRIGGER}\``)
})

test('every trigger of webhooks has its row', () => {
  const rows = rowsOf(sectionOf(read('docs/guides/webhooks.md'), 'Triggers'), /^[a-z]+_\w+$/)
  const isTrigger = (text: string): boolean => Object.hasOwn(webhookTriggers, text)
  expect(rows.filter(isTrigger).toSorted()).toEqual(Object.keys(webhookTriggers).toSorted())
})

test('every metric has its row', async () => {
  const metrics = makeMetrics()
  metrics.watch({ lanes: () => 0, inFlight: () => 0, backlog: async () => ({ pending: 0, oldestAgeSeconds: 0 }) })
  metrics.watchCertificate(() => 0)
  metrics.watchSessions({ sessions: () => 0, rooms: () => 0 })
  const all = [...(await metrics.render()).matchAll(/^# TYPE (confab_\w+) /gm)].map(([, name = '']) => name)
  expect(all.length).toBeGreaterThan(8)
  expect(rowsOf(sectionOf(operations, 'Watching it'), /^confab_/).toSorted()).toEqual(all.toSorted())
})

test('every event that the features leave in the log has its row', () => {
  const folders = '{apps,bots,callbacks,delivery,webhooks,files,files/s3,gateway,imports,tls,workers}'
  const sources = [...globSync(`packages/server/src/${folders}/*.ts`, { cwd: root }), 'packages/server/src/compose.ts']
    .filter((file) => !file.endsWith('.test.ts'))
    .map(read)
  // Subjects of the bus look the same; they have names.
  const event = /(?<!= )'((?:audit|bot|callback|clock|delivery|files|gateway|import|tls|updates|webhook)\.[a-z_]+)'/g
  const all = new Set(sources.flatMap((source) => [...source.matchAll(event)].map(([, name = '']) => name)))
  expect(all.size).toBeGreaterThan(10)
  const rows = rowsOf(sectionOf(operations, 'Watching it'), /^[a-z]+\.[a-z_]+$/).filter((row) => row !== 'http.request')
  expect(rows.toSorted()).toEqual([...all].toSorted())
})

test('the schedule, the breaker and the limits are those of the code', () => {
  const seconds = (ms: number): string => {
    const [n, unit] = ms < 60_000 ? [ms / 1000, 's'] : ms < 3_600_000 ? [ms / 60_000, 'min'] : [ms / 3_600_000, 'h']
    return `${n} ${unit}`
  }
  const retries = sectionOf(callbacks, 'Retries').replaceAll(/\s+/g, ' ')
  expect(retries).toContain(`\`${defaultSchedule.delaysMs.map(seconds).join(' · ')}\``)
  let attempts = 1
  while (retryDelayMs({ attempt: attempts, random: () => 0.5 }) !== undefined) attempts++
  expect(retries).toContain(`${defaultSchedule.maxAgeMs / 3_600_000} hours after the first: that makes ${attempts}.`)
  const breaker = sectionOf(callbacks, 'The circuit breaker')
  expect(defaultBreaker.minAttempts).toBe(10)
  expect(breaker).toContain('ten were made')
  expect(breaker).toContain(`${defaultBreaker.failureRate * 100} %`)
  expect(breaker).toContain(`open for ${defaultBreaker.openMs / 1000} seconds`)
  expect(limits.repliesPerCallback).toBe(10)
  expect(sectionOf(callbacks, 'Answer in the response')).toContain('ten at most')
  expect(sectionOf(callbacks, 'Fetch instead of being called')).toContain(`(${limits.updatesTimeoutSeconds} at most)`)
})
