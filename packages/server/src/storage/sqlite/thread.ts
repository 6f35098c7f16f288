/**
 * The thread that owns the SQLite file, and the only one that touches it.
 *
 * Group commit: all calls that have arrived are run in one transaction and answered after its commit, so a commit's
 * sync to disk is shared by everybody who waited for the one before. A call that fails does not touch its neighbours:
 * if it had written something, the group is undone and run again, each call under a savepoint. Reads in a group see the writes before them, and are answered after the commit
 * too: nobody ever sees what is not yet durable.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { AppError } from '../../kernel/app-error.ts'
import { remembering } from '../../kernel/remembering.ts'
import { SchemaTooNewError } from '../sql/migrate.ts'
import { operations } from '../sql/operations.ts'
import { operationAt, verbsOf } from '../sql/seam.ts'
import { SqliteDatabase } from './database.ts'
import type { Answer, Call, Failure, FromThread, ThreadData, ToThread } from './messages.ts'
import { migrateSqlite } from './migrate.ts'

/** Bounds how long the first caller of a group waits for the last. */
const GROUP_MAX = 128

const port = parentPort as MessagePort
const { path, limits } = workerData as ThreadData

const db = new SqliteDatabase(path, limits)
const say = (message: FromThread): void => port.postMessage(JSON.stringify(message))

const operationOf = remembering((path) => operationAt(operations, path))

const failureOf = (error: unknown): Failure =>
  error instanceof AppError
    ? { kind: 'app', code: error.code, details: error.details }
    : { kind: 'unexpected', message: String(error), stack: error instanceof Error ? error.stack : undefined }

/** SQLITE_FULL */
const isDiskFull = (error: unknown): boolean => error instanceof Error && 'errcode' in error && error.errcode === 13

/** A savepoint costs a third of what it surrounds: calls hardly ever fail once they have written. */
class MustBeUndone extends Error {}

const runPlain = async (call: Call): Promise<Answer> => {
  const { writes } = db
  try {
    return { id: call.id, ok: true, value: await operationOf(call.path).run(db, call.input) }
  } catch (error) {
    if (db.writes > writes) throw new MustBeUndone()
    return { id: call.id, ok: false, failure: failureOf(error) }
  }
}

const runUndoably = async (call: Call): Promise<Answer> => {
  db.step('SAVEPOINT call')
  try {
    const value = await operationOf(call.path).run(db, call.input)
    db.step('RELEASE call')
    return { id: call.id, ok: true, value }
  } catch (error) {
    db.step('ROLLBACK TO call')
    db.step('RELEASE call')
    return { id: call.id, ok: false, failure: failureOf(error) }
  }
}

const inTransaction = async (group: readonly Call[], run: (call: Call) => Promise<Answer>): Promise<Answer[]> => {
  const answers: Answer[] = []
  db.step(group.some((call) => operationOf(call.path).kind === 'write') ? 'BEGIN IMMEDIATE' : 'BEGIN')
  for (const call of group) answers.push(await run(call))
  db.step('COMMIT')
  return answers
}

const undo = (): void => {
  try {
    db.step('ROLLBACK')
  } catch {
    // SQLite has rolled back by itself already.
  }
}

const runGroup = async (group: readonly Call[]): Promise<Answer[]> => {
  try {
    try {
      return await inTransaction(group, runPlain)
    } catch (error) {
      if (!(error instanceof MustBeUndone)) throw error
      undo()
      // Once more, from inputs as they came.
      return await inTransaction(structuredClone(group), runUndoably)
    }
  } catch (error) {
    // Nothing of the group is on disk (full, or not writable): every caller must know.
    undo()
    if (isDiskFull(error)) db.emptyLog()
    const failure = failureOf(error)
    return group.map(({ id }) => ({ id, ok: false, failure }))
  }
}

const queue: Call[] = []
let closing = false

const take = (message: ToThread): void => {
  if (message.kind === 'close') closing = true
  else for (const call of message.calls) queue.push(call)
}

let running = false
const work = async (): Promise<void> => {
  if (running) return
  running = true
  while (queue.length > 0) {
    say({ kind: 'answers', answers: await runGroup(queue.splice(0, GROUP_MAX)) })
    for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port))
      take(JSON.parse(more.message) as ToThread)
  }
  running = false
  if (closing) {
    db.close()
    port.close()
  }
}

try {
  say({ kind: 'ready', migration: await migrateSqlite(db), verbs: verbsOf(operations) })
} catch (error) {
  // An error that leaves the thread by itself loses its class.
  if (!(error instanceof SchemaTooNewError)) throw error
  say({ kind: 'too-new', found: error.found, known: error.known })
  db.close()
  port.close()
}
port.on('message', (text: string) => {
  take(JSON.parse(text) as ToThread)
  // Nothing in work() can reject: failures are answers.
  void work()
})
