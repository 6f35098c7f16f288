/** Rows of the embedded store, cloned from one that the server itself has written: so they are as its schema wants them. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'

export type Row = Readonly<Record<string, SQLInputValue>>

/** The only row of a table, or the only one of some. */
export const rowOf = (db: DatabaseSync, table: string, where: Row = {}): Row => {
  const names = Object.keys(where)
  const condition = names.length === 0 ? '' : ` WHERE ${names.map((name) => `${name} = :${name}`).join(' AND ')}`
  const [row, another] = db.prepare(`SELECT * FROM ${table}${condition}`).all(where)
  if (row === undefined || another !== undefined) throw new Error(`${table} does not hold one such row: ${names}`)
  return row
}

/** Writes clones of a row: the same but for what is changed. */
export const clonesOf = (db: DatabaseSync, table: string, template: Row): ((changes: Row) => void) => {
  const names = Object.keys(template)
  const insert = db.prepare(
    `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map((name) => `:${name}`).join(', ')})`,
  )
  return (changes) => {
    insert.run({ ...template, ...changes })
  }
}
