import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { assertStorable, bind, statement } from './seam.ts'

test('one text becomes two: places for SQLite, numbers for PostgreSQL', () => {
  const both = statement('x', "SELECT :a, :b, :a::bigint, '12:30' FROM t WHERE c = :b_2 {FOR_UPDATE_SKIP_LOCKED}")
  expect(both.text.sqlite.trim()).toBe("SELECT ?, ?, ?::bigint, '12:30' FROM t WHERE c = ?")
  expect(both.order.sqlite).toEqual(['a', 'b', 'a', 'b_2'])
  expect(both.text.postgres).toBe("SELECT $1, $2, $1::bigint, '12:30' FROM t WHERE c = $3 FOR UPDATE SKIP LOCKED")
  expect(both.order.postgres).toEqual(['a', 'b', 'b_2'])
  expect(() => statement('x', 'SELECT 1 {FOR_LUNCH}')).toThrow(/\{FOR_LUNCH\}/)
})

test('values come in the order of the text; a missing one is an error, and so is U+0000', () => {
  const both = statement<{ a: number; b: string | null }>('both', 'SELECT :b, :a, :b')
  expect(bind(both, 'sqlite', { a: 1, b: null })).toEqual([null, 1, null])
  expect(bind(both, 'postgres', { a: 1, b: 'x' })).toEqual(['x', 1])
  expect(() => bind(both, 'sqlite', { a: 1 })).toThrow(/both: no value for :b/)
  expect(() => bind(both, 'postgres', { a: 1, b: 'x\0' })).toThrow(
    expect.objectContaining({ details: { b: expect.any(String) } }),
  )
  expect(() => assertStorable('\u0001\ufffd', 'b')).not.toThrow()
})

// PostgreSQL prepares statements under their names: two texts under one name fail on the connection that sees both.
test('no two statements have one name', () => {
  const folder = new URL('./', import.meta.url)
  const files = readdirSync(folder, { encoding: 'utf8', recursive: true }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  )
  const names = files.flatMap((file) =>
    [...readFileSync(new URL(file, folder), 'utf8').matchAll(/\bstatement<[\s\S]*?>\(\s*'([\w.]+)'/g)].map(
      ([, name]) => name,
    ),
  )
  expect(names.length).toBeGreaterThan(200)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})
