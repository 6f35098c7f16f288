/**
 * The seam between what the store does and what runs it.
 *
 * An **operation** is one function and one transaction: it is written once, against `Tx`, and run by either engine.
 * Nothing in an operation may wait for anything but `tx`: the embedded engine runs it inside the one open
 * transaction of its thread. Hot queries are prepared statements; dynamic lists are built with `tx.build` (Kysely,
 * which here only compiles).
 */
import type { Limits } from '@confab/protocol'
import type { CompiledQuery, Kysely } from 'kysely'
import { badRequest } from '../../kernel/app-error.ts'
import type { Schema } from './schema.ts'

export type DialectName = 'sqlite' | 'postgres'
export type Value = string | number | null
export type Params = Readonly<Record<string, Value>>

/** SQL with `:name` parameters, prepared once per connection and dialect. */
export interface Statement<P extends Params, R> {
  readonly name: string
  readonly text: Readonly<Record<DialectName, string>>
  readonly order: Readonly<Record<DialectName, readonly string[]>>
  /** What it finds holds until one of these tables is written. An engine that is its file's only writer may remember it. */
  readonly holdsUntil: readonly string[]
  /** Never set: keeps the types of parameters and rows. */
  readonly '~types'?: ((params: P) => R) | undefined
}

/** A statement as engines see it, whatever its types. */
export type AnyStatement = Pick<Statement<Params, unknown>, 'name' | 'text' | 'order' | 'holdsUntil'>

/** Row locks: PostgreSQL needs them said, SQLite has one writer. SQLite tells the new row's id without being asked. */
const dialectWords: Readonly<Record<DialectName, Readonly<Record<string, string>>>> = {
  sqlite: { FOR_SHARE: '', FOR_UPDATE: '', FOR_UPDATE_SKIP_LOCKED: '', RETURNING_ID: '' },
  postgres: {
    FOR_SHARE: 'FOR SHARE',
    FOR_UPDATE: 'FOR UPDATE',
    FOR_UPDATE_SKIP_LOCKED: 'FOR UPDATE SKIP LOCKED',
    RETURNING_ID: 'RETURNING id',
  },
}

const translate = (sql: string, dialect: DialectName): { text: string; order: string[] } => {
  const order: string[] = []
  const text = sql
    .replace(/\{(\w+)\}/g, (_, word: string) => {
      const replacement = dialectWords[dialect][word]
      if (replacement === undefined) throw new Error(`unknown dialect word {${word}}`)
      return replacement
    })
    .replace(/(?<![:\w]):([a-zA-Z]\w*)/g, (_, name: string) => {
      if (dialect === 'sqlite') {
        order.push(name)
        return '?'
      }
      if (!order.includes(name)) order.push(name)
      return `$${order.indexOf(name) + 1}`
    })
  return { text, order }
}

/**
 * @param name unique: PostgreSQL prepares the statement under it
 * @param sql one text for both dialects, with `{FOR_UPDATE…}` where rows are locked
 * @param options `holdsUntil`: every table that it reads, for what is found again and again and hardly changes
 */
export const statement = <P extends Params, R = never>(
  name: string,
  sql: string,
  { holdsUntil = [] }: { holdsUntil?: readonly string[] } = {},
): Statement<P, R> => {
  const sqlite = translate(sql, 'sqlite')
  const postgres = translate(sql, 'postgres')
  return {
    name,
    text: { sqlite: sqlite.text, postgres: postgres.text },
    order: { sqlite: sqlite.order, postgres: postgres.order },
    holdsUntil,
  }
}

/** PostgreSQL cannot hold U+0000 in text, and SQLite gives back what is before it: no engine takes it. */
export const assertStorable = (value: unknown, name: string): void => {
  if (typeof value === 'string' && value.includes('\0')) {
    throw badRequest({ [name]: 'must not contain the character U+0000' })
  }
}

/** The values of a statement's parameters, in the order in which the dialect wants them. */
export const bind = (statement: AnyStatement, dialect: DialectName, params: Params): Value[] => {
  const values: Value[] = []
  for (const name of statement.order[dialect]) {
    const value = params[name]
    if (value === undefined) throw new Error(`statement ${statement.name}: no value for :${name}`)
    if (typeof value === 'string') assertStorable(value, name)
    values.push(value)
  }
  return values
}

export interface Tx {
  readonly dialect: DialectName
  /** What this store was opened with. */
  readonly limits: Limits
  /** Builds queries for this dialect; run them with `query`. */
  readonly build: Kysely<Schema>
  all<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<readonly R[]>
  first<P extends Params, R>(statement: Statement<P, R>, params: P): Promise<R | undefined>
  /** The number of rows changed. */
  run<P extends Params>(statement: Statement<P, never>, params: P): Promise<number>
  /** Inserts one row, always, and answers its id; the statement ends with `{RETURNING_ID}`. */
  insert<P extends Params>(statement: Statement<P, never>, params: P): Promise<number>
  query<R>(compiled: CompiledQuery<R>): Promise<readonly R[]>
}

export interface Operation<I, O> {
  readonly kind: 'read' | 'write'
  readonly run: (tx: Tx, input: I) => Promise<O>
}

export const write = <I, O>(run: (tx: Tx, input: I) => Promise<O>): Operation<I, O> => ({ kind: 'write', run })
export const read = <I, O>(run: (tx: Tx, input: I) => Promise<O>): Operation<I, O> => ({ kind: 'read', run })

// biome-ignore lint/suspicious/noExplicitAny: a table of operations holds functions of every input; each keeps its own types
export type OperationTable = Readonly<Record<string, Readonly<Record<string, Operation<any, any>>>>>

/** The port that a table of operations makes: nouns with verbs, each a call that settles when it is durable. */
export type PortOf<T extends OperationTable> = {
  readonly [Noun in keyof T]: {
    readonly [Verb in keyof T[Noun]]: T[Noun][Verb] extends Operation<infer I, infer O>
      ? (input: I) => Promise<O>
      : never
  }
}

/** The verbs of each noun: all that whoever only calls has to know. */
export type Verbs = Readonly<Record<string, readonly string[]>>

export const verbsOf = (table: OperationTable): Verbs =>
  Object.fromEntries(Object.entries(table).map(([noun, verbs]) => [noun, Object.keys(verbs)]))

/** @param path `noun.verb` */
export const operationAt = (table: OperationTable, path: string): Operation<unknown, unknown> => {
  const [noun = '', verb = ''] = path.split('.')
  const operation = table[noun]?.[verb]
  if (operation === undefined) throw new Error(`no operation ${path}`)
  return operation
}

/** Makes the port: every call goes to what `callOf` answers for its path, `noun.verb`. */
export const makePort = <T extends OperationTable>(
  verbs: Verbs,
  callOf: (path: string) => (input: unknown) => Promise<unknown>,
): PortOf<T> =>
  Object.fromEntries(
    Object.entries(verbs).map(([noun, ofNoun]) => [
      noun,
      Object.fromEntries(ofNoun.map((verb) => [verb, callOf(`${noun}.${verb}`)])),
    ]),
  ) as PortOf<T>
