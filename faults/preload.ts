/**
 * Goes into the server under test with `--import`, into its main thread and its store thread alike. It holds the clock,
 * and ends the process at a named point. What it is to do stands in a small file that the harness replaces; every hook
 * looks there now and then, which reaches threads that no signal reaches.
 */
import { readFileSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import type { KillPoint, Plan } from './lib/plan.ts'

const LOOK_EVERY_MS = 5

const file = process.env.FAULTS_PLAN ?? ''
let plan: Plan = { clockOffsetMs: 0, kill: undefined }
let lookedAt = Number.NEGATIVE_INFINITY
let passed = 0

const look = (): Plan => {
  const now = performance.now()
  if (now - lookedAt < LOOK_EVERY_MS) return plan
  lookedAt = now
  const before = plan.kill?.id
  plan = JSON.parse(readFileSync(file, 'utf8')) as Plan
  if (plan.kill?.id !== before) passed = 0
  return plan
}

const patterns: Readonly<Record<KillPoint['at'], RegExp>> = {
  commit: /^\s*COMMIT/,
  'messages insert': /^\s*INSERT INTO "?messages/i,
  'deliveries insert': /^\s*INSERT INTO "?deliveries/i,
  'attempts insert': /^\s*INSERT INTO "?attempts/i,
  'lanes change': /^\s*(?:INSERT INTO|UPDATE) "?lanes/i,
}

/** Whether this statement is the one at which the process is to end. */
const isDue = (sql: string): KillPoint['when'] | undefined => {
  const { kill } = look()
  if (kill === undefined || !patterns[kill.at].test(sql)) return undefined
  passed += 1
  return passed === kill.nth ? kill.when : undefined
}

const end = (): void => {
  process.kill(process.pid, 'SIGKILL')
}

const around = <T>(sql: string, run: () => T): T => {
  const when = isDue(sql)
  if (when === 'before') end()
  const result = run()
  if (when !== undefined) end()
  return result
}

const holdClock = (): void => {
  const real = Date.now
  Date.now = () => real() + look().clockOffsetMs
}

type Method = (this: unknown, ...args: unknown[]) => unknown

const watchSqlite = (): void => {
  const texts = new WeakMap<object, string>()
  const { prepare } = DatabaseSync.prototype
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql, ...rest) {
    const statement = prepare.call(this, sql, ...rest)
    texts.set(statement, sql)
    return statement
  }
  for (const method of ['run', 'get', 'all'] as const) {
    const original = StatementSync.prototype[method] as Method
    Object.defineProperty(StatementSync.prototype, method, {
      value(this: StatementSync, ...args: unknown[]) {
        return around(texts.get(this) ?? '', () => original.apply(this, args))
      },
    })
  }
}

const textOf = (query: unknown): string => {
  if (typeof query === 'string') return query
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : ''
}

/** `during`: the server of the database has the statement, and its answer is not awaited. */
const watchPostgres = async (): Promise<void> => {
  const { default: pg } = await import('pg')
  const original = pg.Client.prototype.query as Method
  const query: Method = function (...args) {
    const when = isDue(textOf(args[0]))
    if (when === 'before') end()
    const result = original.apply(this, args)
    if (when === 'during') setImmediate(end)
    if (when === 'after' && result instanceof Promise) result.then(end, end)
    return result
  }
  Object.defineProperty(pg.Client.prototype, 'query', { value: query })
}

if (file !== '') {
  holdClock()
  watchSqlite()
  if (process.env.CONFAB_DATABASE_URL !== undefined) await watchPostgres()
}
