import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { scenarios } from '../scenarios/index.ts'

const text = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8')

test('docs/reliability.md names every scenario, with its faults and in its words, and no other', () => {
  const rows = [...text.matchAll(/^\| `([\w-]+)` \| ([F\d, ]+) \| (?:(SQLite|PostgreSQL) only: )?(.+) \|$/gm)]
  const engineOf = { SQLite: 'sqlite', PostgreSQL: 'postgres' } as const
  const documented = rows.map(([, name, faults, engine, what]) => ({
    name,
    faults,
    engines: engine === 'SQLite' || engine === 'PostgreSQL' ? [engineOf[engine]] : undefined,
    what,
  }))
  expect(documented).toEqual(scenarios.map(({ name, faults, engines, what }) => ({ name, faults, engines, what })))
})
