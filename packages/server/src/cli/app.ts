/** The apps of a server: each has its own keys, users, groups, messages, bots and files, and knows nothing of the others. */
import { setTimeout as wait } from 'node:timers/promises'
import { type AppId, type KeyScope, keyScopes, limits } from '@confab/protocol'
import { makeRemoveApp } from '../apps/remove-app.ts'
import { limitsOf } from '../config/limits.ts'
import { nearest } from '../config/nearest.ts'
import type { Config } from '../config/schema.ts'
import * as value from '../config/values.ts'
import { buildFiles } from '../files/build-files.ts'
import { openFileStore } from '../files/open-file-store.ts'
import { AppError } from '../kernel/app-error.ts'
import { systemClock, toSeconds } from '../kernel/clock.ts'
import { type Ids, makeIds } from '../kernel/ids.ts'
import { openStore } from '../storage/open-store.ts'
import { DirectoryInUseError } from '../storage/sqlite/directory-lock.ts'
import type { Store } from '../storage/store.ts'
import { isOwn, type Line, type Own, readLine } from './app-line.ts'
import { readConfig } from './configuration.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { makeLog, type ProcessLog } from './log.ts'

const usage = `Usage: confab app create [--id <id>] [--name <name>]
       confab app list
       confab app delete <id> --yes
       confab app rotate-key <id> [--scope fullAccess|authOnly] [--keep-old]
All of them take --json, and the settings that say where the store is.`

const keyNames = { fullAccess: 'Rest API Key', authOnly: 'Auth Key' } as const satisfies Record<KeyScope, string>

interface Parts {
  readonly config: Config
  readonly store: Store
  readonly ids: Ids
  readonly log: ProcessLog
  /** Shows the text, or with `--json` the value. */
  readonly show: (text: string, json: unknown) => void
}

class Refused extends Error {}

const audit = ({ store }: Parts, entry: { appId: AppId | null; action: string; target: string }): Promise<void> =>
  store.audit.add({ ...entry, at: toSeconds(systemClock.now()), actor: { kind: 'cli' }, requestId: null })

const newKeys = (ids: Ids, scopes: readonly KeyScope[]) =>
  scopes.map((scope) => ({ key: ids.apiKey(), name: keyNames[scope], scope }))

const shownKeys = (keys: ReturnType<typeof newKeys>): string =>
  keys.map(({ key, name, scope }) => `  ${name.padEnd(14)} ${key}   (${scope})\n`).join('')

const jsonKeys = (keys: ReturnType<typeof newKeys>) => keys.map(({ key: apiKey, ...rest }) => ({ apiKey, ...rest }))

const notShownAgain = '\nKeep the keys: they are not shown again here.'

const create = async (parts: Parts, { own }: Line): Promise<void> => {
  const { store, ids, show } = parts
  const id = value.appId.parse(typeof own.id === 'string' ? own.id : ids.app()) as AppId
  const name = typeof own.name === 'string' ? own.name : id
  const keys = newKeys(ids, ['fullAccess', 'authOnly'])
  const app = await store.apps.create({ id, name, keys, now: toSeconds(systemClock.now()) })
  if (app === undefined) throw new Refused(`there is an app ${id} already`)
  await audit(parts, { appId: id, action: 'app create', target: id })
  show(`App created.\n\n  ${'app id'.padEnd(14)} ${id}\n${shownKeys(keys)}${notShownAgain}`, {
    ...app,
    keys: jsonKeys(keys),
  })
}

const list = async ({ store, show }: Parts): Promise<void> => {
  const apps = await store.apps.list({})
  const rows = apps.map(({ id, name, createdAt }) => `${id}  ${new Date(createdAt * 1000).toISOString()}  ${name}`)
  show(rows.length === 0 ? 'There is no app.' : rows.join('\n'), apps)
}

const requireApp = async (store: Store, text: string): Promise<AppId> => {
  const id = value.appId.parse(text)
  const app = id === undefined ? undefined : await store.apps.find({ id })
  if (app === undefined) throw new Refused(`there is no app ${text}`)
  return app.id
}

const remove = async (parts: Parts, { words: [text = ''] }: Line): Promise<void> => {
  const { config, store, ids, log, show } = parts
  const id = await requireApp(store, text)
  if (config.appId === id) {
    throw new Refused(`CONFAB_APP_ID names the app ${id}: the next start would make it again; unset it first`)
  }
  const files = openFileStore(config, { log })
  try {
    const { keep } = buildFiles({ ...config, limits: limitsOf(config) }, { store, files, clock: systemClock, ids, log })
    await makeRemoveApp({ store, keep, clock: systemClock, wait })(id)
  } finally {
    await files.close()
  }
  await audit(parts, { appId: null, action: 'app delete', target: id })
  show(`App ${id} deleted.`, { id, deleted: true })
}

const rotateKey = async (parts: Parts, { own, words: [text = ''] }: Line): Promise<void> => {
  const { config, store, ids, show } = parts
  const id = await requireApp(store, text)
  const scope = keyScopes.find((known) => known === own.scope) ?? 'fullAccess'
  const keys = newKeys(ids, [scope])
  const now = toSeconds(systemClock.now())
  let removed = 0
  for (const key of keys) {
    removed += await store.apiKeys.rotate({ appId: id, ...key, now, keepsOld: own['keep-old'] === true })
  }
  await audit(parts, { appId: id, action: 'app rotate-key', target: id })
  const setting = scope === 'fullAccess' ? 'CONFAB_REST_API_KEY' : 'CONFAB_AUTH_KEY'
  const configured = scope === 'fullAccess' ? config.restApiKey : config.authKey
  if (config.appId === id && configured !== undefined) {
    console.error(`confab: ${setting} is set; set it to the new key, or the next start brings the old one back.`)
  }
  show(`${shownKeys(keys)}${notShownAgain}\nOld keys deleted: ${removed}.`, { id, keys: jsonKeys(keys), removed })
}

interface Action {
  readonly takes: readonly Own[]
  readonly takesId: boolean
  readonly run: (parts: Parts, line: Line) => Promise<void>
}

const actions: Readonly<Record<string, Action>> = {
  create: { takes: ['id', 'name'], takesId: false, run: create },
  list: { takes: [], takesId: false, run: list },
  delete: { takes: ['yes'], takesId: true, run: remove },
  'rotate-key': { takes: ['scope', 'keep-old'], takesId: true, run: rotateKey },
}

const isText = (given: unknown): given is string => typeof given === 'string'

const problemsOf = (action: Action, { own, words, action: name }: Line): string[] => {
  const given = Object.keys(own).filter(isOwn)
  const bad = (key: Own, isRight: (text: string) => boolean): boolean =>
    own[key] !== undefined && action.takes.includes(key) && !(isText(own[key]) && isRight(own[key]))
  return [
    ...given.filter((key) => key !== 'json' && !action.takes.includes(key)).map((key) => `--${key} is not for ${name}`),
    ...(bad('id', (text) => value.appId.parse(text) !== undefined) ? [`--id must be ${value.appId.expects}`] : []),
    ...(bad('name', (text) => text.length >= 1 && text.length <= limits.appNameLength)
      ? [`--name must be 1 to ${limits.appNameLength} characters`]
      : []),
    ...(bad('scope', (text) => keyScopes.some((scope) => scope === text))
      ? [`--scope must be one of ${keyScopes.join(', ')}`]
      : []),
    ...(action.takesId && words.length === 0 ? ['the id of the app is missing'] : []),
    ...(words.length > (action.takesId ? 1 : 0) ? ['there are too many words'] : []),
    ...(action.takes.includes('yes') && own.yes !== true
      ? ['it deletes all users, groups, messages, bots and files of the app for good: say --yes']
      : []),
  ]
}

const refuse = (problem: string): ExitCode => {
  console.error(`confab app: ${problem}\n\n${usage}`)
  return exitCodes.badConfig
}

const failed = (problem: string, code: ExitCode = exitCodes.failed): ExitCode => {
  console.error(`confab app: ${problem}`)
  return code
}

const runIn = async (config: Config, action: Action, line: Line): Promise<ExitCode> => {
  const log = makeLog('warn')
  const { store } = await openStore({ ...config, limits: limitsOf(config), log })
  try {
    const show: Parts['show'] = (text, json) => console.log(line.own.json === true ? JSON.stringify(json) : text)
    await action.run({ config, store, ids: makeIds(systemClock), log, show }, line)
    return exitCodes.ok
  } catch (error) {
    if (error instanceof Refused) return failed(error.message)
    if (error instanceof AppError && error.code === 'ERR_PLAN_QUOTA_RESTRICTION')
      return failed(`the app has ${limitsOf(config).apiKeysPerApp} keys already; delete some, or leave --keep-old out`)
    throw error
  } finally {
    await store.close()
    log.flush()
  }
}

export const app = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const line = readLine(args)
  const action = Object.hasOwn(actions, line.action) ? actions[line.action] : undefined
  if (action === undefined) {
    const meant = nearest(line.action, Object.keys(actions))
    return refuse(
      `${line.action === '' ? 'say what to do' : `there is no command app ${line.action}`}.${meant ? ` Did you mean ${meant}?` : ''}`,
    )
  }
  const problems = problemsOf(action, line)
  if (problems.length > 0) return refuse(problems.join('; '))
  const config = readConfig(line.rest, env)
  if (config === undefined) return exitCodes.badConfig
  try {
    return await runIn(config, action, line)
  } catch (error) {
    if (!(error instanceof DirectoryInUseError)) throw error
    return failed(
      `${error.message} With the embedded store, stop the server first; with PostgreSQL, apps are managed while it runs.`,
      exitCodes.directoryInUse,
    )
  }
}
