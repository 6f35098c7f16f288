/** Data from elsewhere: a call with some rows, or a stream with any number of them. */
import {
  type ErrorCode,
  errorCodes,
  type ImportedLine,
  type ImportKind,
  importKinds,
  type Limits,
  limits,
  type Uid,
} from '@confab/protocol'
import { AppError, badRequest, type ErrorDetails } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { parseSafely } from '../kernel/json-text.ts'
import type { Live } from '../live/live.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Outcome } from '../storage/sql/imports/import-batch.ts'
import type { Store } from '../storage/store.ts'
import { type ImportRow, makeReadRow, type RowChecks } from './import-row.ts'
import { type Line, readLines } from './read-lines.ts'

/** Rows by their keys, or without. */
export type Rows = Readonly<Record<string, unknown>> | readonly unknown[]

/** What has become of a stream so far. */
export interface Tally {
  /** The last line that was looked at. */
  line: number
  imported: number
  existed: number
  failed: number
}

export interface ImportData {
  /** The answer of a call: JSON, by key. */
  call(app: App, kind: ImportKind, rows: Rows): Promise<string>
  /**
   * What became of the lines, some at a time: what is told is on disk. `tally` is kept up to date. Lines before `from` are
   * passed over.
   */
  stream(
    app: App,
    source: AsyncIterable<Uint8Array>,
    options: { tally: Tally; from?: number },
  ): AsyncGenerator<readonly ImportedLine[]>
}

export const newTally = (): Tally => ({ line: 0, imported: 0, existed: 0, failed: 0 })

/** Rows per transaction: few enough that nobody waits long behind them. */
const BATCH = 200

const ID_FIELD: { readonly [K in ImportKind]?: string } = { user: 'uid', group: 'guid', message: 'muid' }

export const failureOf = (code: ErrorCode, details: ErrorDetails | null) => ({
  code,
  message: errorCodes[code].meaning,
  ...(details !== null && { details }),
})

const outcomeJson = (outcome: Outcome): string =>
  outcome.ok
    ? `{"success":true${outcome.existed ? ',"existed":true' : ''},"data":${outcome.json}}`
    : JSON.stringify({ success: false, error: failureOf(outcome.code, outcome.details) })

interface Entry {
  readonly key: string
  readonly value: unknown
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The key is the id, and says it where the row does not. */
const withKey = (kind: ImportKind, key: string, value: unknown): unknown => {
  const field = ID_FIELD[kind]
  if (field === undefined || !isObject(value)) return value
  return value[field] === undefined ? { ...value, [field]: key } : value
}

const assertKey = (kind: ImportKind, { key, value }: Entry): void => {
  const field = ID_FIELD[kind]
  if (field === undefined || !isObject(value)) return
  const same = kind === 'message' ? value[field] === key : String(value[field]).toLowerCase() === key.toLowerCase()
  if (!same) throw badRequest({ [field]: 'must be the key of the row' })
}

const keyOf = (kind: ImportKind, value: unknown, index: number): string => {
  if (!isObject(value)) return String(index)
  const field = ID_FIELD[kind]
  const parts = field === undefined ? [value.guid, value.uid] : [value[field]]
  return parts.every((part) => typeof part === 'string') ? parts.join('_member_') : String(index)
}

/** Of two rows of a list with one id, the second goes by its place. */
const entriesOf = (kind: ImportKind, rows: Rows): Entry[] => {
  if (!Array.isArray(rows))
    return Object.entries(rows).map(([key, value]) => ({ key, value: withKey(kind, key, value) }))
  const used = new Set<string>()
  return rows.map((value, index) => {
    const key = keyOf(kind, value, index)
    const own = used.has(key) ? String(index) : key
    used.add(own)
    return { key: own, value }
  })
}

const failedBy = (error: unknown): Outcome => {
  if (!(error instanceof AppError)) throw error
  return { ok: false, code: error.code, details: error.details ?? null }
}

const sentAt = (row: ImportRow): number => (row.kind === 'message' ? row.row.sentAt : 0)

const isKind = (key: string): key is ImportKind => importKinds.some((kind) => kind === key)

/** One of the kinds with its row. */
const parseLine = ({ text }: Line): { kind: ImportKind; value: unknown } => {
  if (text === undefined) {
    throw new AppError('ERR_PAYLOAD_TOO_LARGE', {
      details: { line: `must be UTF-8 of at most ${limits.importLineBytes} bytes` },
    })
  }
  const { value, problem } = parseSafely(text)
  if (problem !== undefined) throw badRequest({ line: problem })
  const [[kind, row] = [], ...others] = isObject(value) ? Object.entries(value) : []
  if (kind === undefined || others.length > 0 || !isKind(kind)) {
    throw badRequest({ line: `must be an object with one of ${importKinds.join(', ')}` })
  }
  return { kind, value: row }
}

const lineOf = (line: number, outcome: Outcome): ImportedLine =>
  outcome.ok
    ? { line, success: true, id: outcome.id, ...(outcome.existed && { existed: true }) }
    : { line, success: false, error: failureOf(outcome.code, outcome.details) }

const count = (tally: Tally, outcome: Outcome): void => {
  if (!outcome.ok) tally.failed++
  else if (outcome.existed) tally.existed++
  else tally.imported++
}

/** Who may be in a group by it in which they were not. */
const enteredBy = (row: ImportRow): Uid[] => {
  if (row.kind === 'group') return [row.row.owner]
  if (row.kind !== 'member') return []
  const { uid, group } = row.row
  return group === null ? [uid] : [uid, group.owner]
}

export const makeImportData = (deps: {
  store: Pick<Store, 'imports'>
  clock: Clock
  checks: RowChecks
  limits: Limits
  /** Where there may be sessions: they are to hear of the groups that their users are in from now on. */
  live?: Pick<Live, 'stale'>
}): ImportData => {
  const { store, clock, live } = deps
  const readRow = makeReadRow(deps.checks, deps.limits)
  const now = (): number => toSeconds(clock.now())

  /** In their order; those that could not be read are told of beside the others. */
  const addAll = async (
    app: App,
    read: readonly (ImportRow | Outcome)[],
    options: { withRows: boolean },
  ): Promise<readonly Outcome[]> => {
    const isRow = (one: ImportRow | Outcome): one is ImportRow => 'kind' in one
    const rows = read.filter(isRow)
    const outcomes =
      rows.length === 0 ? [] : await store.imports.add({ appId: app.id, appCreatedAt: app.createdAt, rows, ...options })
    if (live !== undefined) {
      for (const uid of new Set(rows.flatMap(enteredBy))) live.stale(app.id, uid, 'relations')
    }
    const rest = outcomes.values()
    return read.map((one) => (isRow(one) ? (rest.next().value ?? failedBy(undefined)) : one))
  }

  const readLine = async (line: Line): Promise<ImportRow | Outcome> => {
    try {
      const { kind, value } = parseLine(line)
      return await readRow(kind, value, now())
    } catch (error) {
      return failedBy(error)
    }
  }

  return {
    call: async (app, kind, rows) => {
      const entries = entriesOf(kind, rows)
      if (entries.length > deps.limits.importRows) {
        throw badRequest({ [`${kind}s`]: `must not hold more than ${deps.limits.importRows} rows` })
      }
      const read = await Promise.all(
        entries.map(async (entry): Promise<{ key: string; row: ImportRow | Outcome }> => {
          const { key, value } = entry
          try {
            if (!Array.isArray(rows)) assertKey(kind, entry)
            return { key, row: await readRow(kind, value, now()) }
          } catch (error) {
            return { key, row: failedBy(error) }
          }
        }),
      )
      // Objects have no order that would mean anything: digits come first in JavaScript.
      const time = ({ row }: (typeof read)[number]): number => ('kind' in row ? sentAt(row) : 0)
      const inOrder = read.toSorted((a, b) => time(a) - time(b))
      const outcomes = await addAll(
        app,
        inOrder.map(({ row }) => row),
        { withRows: true },
      )
      const texts = new Map(inOrder.map(({ key }, index) => [key, outcomes[index]]))
      const parts = read.map(({ key }) => {
        const outcome = texts.get(key)
        return `${JSON.stringify(key)}:${outcome === undefined ? 'null' : outcomeJson(outcome)}`
      })
      return `{"data":{${parts.join(',')}}}`
    },

    stream: async function* (app, source, { tally, from = 1 }) {
      for await (const lines of readLines(source)) {
        const wanted = lines.filter(({ number }) => number >= from)
        for (let start = 0; start < wanted.length; start += BATCH) {
          const some = wanted.slice(start, start + BATCH)
          const read: (ImportRow | Outcome)[] = []
          for (const line of some) read.push(await readLine(line))
          const outcomes = await addAll(app, read, { withRows: false })
          for (const outcome of outcomes) count(tally, outcome)
          tally.line = some.at(-1)?.number ?? tally.line
          yield outcomes.map((outcome, index) => lineOf(some[index]?.number ?? 0, outcome))
        }
      }
    },
  }
}
