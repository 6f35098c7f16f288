/** A rule that cannot fail protects nothing: every rule of `.dependency-cruiser.cjs` is broken once, here. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const server = 'packages/server/src'

/** Files of a small tree, each with what it imports. */
const tree: Readonly<Record<string, readonly string[]>> = {
  [`${server}/kernel/a.ts`]: [],
  [`${server}/kernel/clock.ts`]: [],
  [`${server}/http/route.ts`]: [],
  [`${server}/users/users.routes.ts`]: ['../http/route.ts'],
  [`${server}/users/user.ts`]: ['../kernel/clock.ts'],
  [`${server}/storage/sqlite/engine.ts`]: ['node:sqlite'],
  [`${server}/storage/store.ts`]: [],
  [`${server}/api.ts`]: ['./users/users.routes.ts'],
  [`${server}/compose.ts`]: ['./api.ts', './storage/sqlite/engine.ts'],
  [`${server}/testing/harness.ts`]: [],
  'packages/protocol/src/index.ts': [],
  'packages/bot-sdk/src/index.ts': ['../../protocol/src/index.ts'],
}

/** Rule → a file that breaks it and no other. */
const violations: Readonly<Record<string, { file: string; imports: readonly string[] }>> = {
  'no-cycles': { file: `${server}/messages/one.ts`, imports: ['./two.ts'] },
  'kernel-imports-nothing': { file: `${server}/kernel/b.ts`, imports: ['../users/user.ts'] },
  'protocol-is-standalone': { file: 'packages/protocol/src/b.ts', imports: ['../../server/src/kernel/a.ts'] },
  'clients-see-only-protocol': { file: 'packages/bot-sdk/src/b.ts', imports: ['../../server/src/kernel/a.ts'] },
  'features-know-ports-not-drivers': { file: `${server}/users/b.ts`, imports: ['../storage/sqlite/engine.ts'] },
  'features-are-transport-free': { file: `${server}/groups/b.ts`, imports: ['../http/route.ts'] },
  'routes-are-private': { file: `${server}/http/b.ts`, imports: ['../users/users.routes.ts'] },
  'only-the-driver-names-its-database': { file: `${server}/workers/b.ts`, imports: ['node:sqlite'] },
  'only-compose-wires': { file: `${server}/workers/c.ts`, imports: ['../compose.ts'] },
  'production-never-imports-testing': { file: `${server}/workers/d.ts`, imports: ['../testing/harness.ts'] },
}

const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as { forbidden: { name: string }[] }

let folder = ''

const write = (file: string, imports: readonly string[]): void => {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${imports.map((name) => `import '${name}'\n`).join('')}export const here = 1\n`)
}

interface Cruise {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[]
  }
}

const cruise = (): readonly { from: string; rule: string }[] => {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs')
  const args = [program, 'packages', '--config', '.dependency-cruiser.cjs', '--output-type', 'json']
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  return (JSON.parse(stdout) as Cruise).summary.violations.map(({ from, rule }) => ({ from, rule: rule.name }))
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'confab-imports-'))
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json']) cpSync(join(root, file), join(folder, file))
  for (const [file, imports] of Object.entries(tree)) write(file, imports)
  write(`${server}/messages/two.ts`, [])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a tree that follows the directions breaks no rule', () => {
  expect(cruise()).toEqual([])
})

test('every rule has a violation here', () => {
  expect(Object.keys(violations).sort()).toEqual(config.forbidden.map(({ name }) => name).sort())
})

test('each violation is caught under its own rule and no other', () => {
  for (const { file, imports } of Object.values(violations)) write(file, imports)
  write(`${server}/messages/two.ts`, ['./one.ts'])
  const found = cruise().filter(({ from }) => !from.endsWith('two.ts'))
  const expected = Object.entries(violations).map(([rule, { file }]) => ({ from: file, rule }))
  const byRule = (a: { rule: string }, b: { rule: string }): number => a.rule.localeCompare(b.rule)
  expect([...found].sort(byRule)).toEqual(expected.sort(byRule))
})
