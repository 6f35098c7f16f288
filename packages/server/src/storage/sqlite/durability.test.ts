import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { makeWorld, uidOf } from '../../testing/builders.ts'
import { DirectoryInUseError } from './directory-lock.ts'
import { openSqliteStore } from './sqlite-store.ts'

const scriptOf = (name: string): string => fileURLToPath(new URL(`../../testing/${name}`, import.meta.url))

const temporaryDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'confab-durable-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

interface Appender {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
}

const startAppender = async (directory: string): Promise<Appender> => {
  const child = spawn(process.execPath, [scriptOf('append-forever.ts'), directory, join(directory, 'acknowledged')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const ended = once(child, 'exit')
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
  if (line !== 'ready') throw new Error(`the appender did not start: ${line}`)
  return { child, ended }
}

/** All that was ever acknowledged, by any of the processes. */
const acknowledged = (directory: string, kind: 'message' | 'delivered'): string[] =>
  readFileSync(join(directory, 'acknowledged'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${kind} `))
    .map((line) => line.split(' ')[1] ?? '')

interface Row {
  readonly [column: string]: string | number | null
}

/** What is wrong with a lane, if anything: its deliveries are 1…n, the finished before the pending, and counted. */
const problemOf = (lane: Row, deliveries: readonly Row[]): string | undefined => {
  const ordered = deliveries.toSorted((one, other) => Number(one.sequence) - Number(other.sequence))
  const pending = ordered.filter(({ state }) => state === 'pending').length
  if (ordered.some(({ sequence }, index) => sequence !== index + 1)) return 'a gap'
  if (lane.next_sequence !== ordered.length + 1) return 'next_sequence'
  if (lane.pending !== pending) return 'pending'
  if ((lane.due_at_ms === null) !== (pending === 0)) return 'due_at_ms'
  if (ordered.slice(-pending || ordered.length).some(({ state }) => pending > 0 && state !== 'pending')) return 'order'
  return undefined
}

/** What the file holds, read without the store. */
const inspect = (directory: string) => {
  const db = new DatabaseSync(join(directory, 'confab.sqlite'))
  const all = (sql: string) => db.prepare(sql).all() as unknown as Row[]
  const deliveries = all('SELECT id, lane_id, sequence, state, message_id FROM deliveries')
  const byLane = Map.groupBy(deliveries, ({ lane_id }) => lane_id)
  const messages = new Set(all('SELECT id FROM messages').map(({ id }) => String(id)))
  const found = {
    integrity: all('PRAGMA integrity_check'),
    messages,
    delivered: new Set(deliveries.filter(({ state }) => state === 'delivered').map(({ id }) => String(id))),
    pending: deliveries.filter(({ state }) => state === 'pending').length,
    problems: all('SELECT * FROM lanes').flatMap((lane) => problemOf(lane, byLane.get(lane.id ?? null) ?? []) ?? []),
    owed: new Set(deliveries.map(({ message_id }) => String(message_id))),
  }
  db.close()
  return found
}

test('what was acknowledged is there after kill -9 at any moment, and lanes agree with their deliveries', async () => {
  const directory = temporaryDirectory()
  const random = [0.1, 0.9, 0.35, 0.6, 0, 0.75, 0.2, 1, 0.5, 0.85]
  let messages: string[] = []
  let delivered: string[] = []
  for (const moment of random) {
    const { child, ended } = await startAppender(directory)
    await sleep(150 + 250 * moment)
    child.kill('SIGKILL')
    await ended
    const before = messages.length
    messages = acknowledged(directory, 'message')
    delivered = acknowledged(directory, 'delivered')
    expect(messages.length).toBeGreaterThan(before + 5)
    const found = inspect(directory)
    expect(found.integrity).toEqual([{ integrity_check: 'ok' }])
    expect(messages.filter((id) => !found.messages.has(id))).toEqual([])
    expect(delivered.filter((id) => !found.delivered.has(id))).toEqual([])
    expect(found.problems).toEqual([])
    expect(found.owed).toEqual(found.messages)
    const { store } = await openSqliteStore({ dataDir: directory })
    expect((await store.lanes.backlog({})).pending).toBe(found.pending)
    await store.close()
  }
  expect(new Set(messages).size).toBe(messages.length)
  expect(delivered.length).toBeGreaterThan(50)
}, 120_000)

test('a directory has one process at a time, and is free as soon as that is gone, however it went', async () => {
  const directory = temporaryDirectory()
  const { child, ended } = await startAppender(directory)
  await expect(openSqliteStore({ dataDir: directory })).rejects.toBeInstanceOf(DirectoryInUseError)
  await expect(openSqliteStore({ dataDir: directory })).rejects.toThrow(directory)
  child.kill('SIGKILL')
  await ended
  const { store } = await openSqliteStore({ dataDir: directory })
  await expect(openSqliteStore({ dataDir: directory })).rejects.toBeInstanceOf(DirectoryInUseError)
  await expect(startAppender(directory)).rejects.toThrow('did not start: DirectoryInUseError')
  expect((await store.apps.list({})).length).toBe(1)
  await store.close()
  const again = await openSqliteStore({ dataDir: directory })
  await again.store.close()
}, 30_000)

test('calls made before the store is closed settle; calls made after are refused', async () => {
  const { store } = await openSqliteStore({ dataDir: temporaryDirectory() })
  const w = await makeWorld(store)
  const users = Array.from({ length: 700 }, (_, n) => w.user(`u${n}`))
  const closed = store.close()
  await expect(w.user('late')).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
  expect((await Promise.all(users)).length).toBe(700)
  await closed
  await store.close()
  await expect(w.user('later')).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
})

test('a call that fails does not undo its neighbours in the group', async () => {
  const { store } = await openSqliteStore({ dataDir: temporaryDirectory() })
  onTestFinished(() => store.close())
  const w = await makeWorld(store)
  await w.users('first')
  await w.bot('bot')
  const token = { appId: w.appId, uid: uidOf('first'), platform: null, userAgent: null, appInfo: null, now: 1 }
  const tokenOf = (text: string) => store.authTokens.create({ ...token, token: text, fresh: true })
  const settled = await Promise.allSettled([
    w.user('a'),
    w.user('first'),
    tokenOf('t'),
    // Not an error that the store knows: the constraint of the table itself.
    tokenOf('t'),
    w.send({ from: 'a', to: 'nobody', muid: 'm' }),
    w.user('b', { name: 'x\0' }),
    w.user('c'),
    store.apps.list({}),
    w.send({ from: 'first', to: 'bot', muid: 'm', claimer: w.claimer() }),
  ])
  expect(settled.map(({ status }) => status === 'fulfilled')).toEqual([
    true,
    false,
    true,
    false,
    false,
    false,
    true,
    true,
    true,
  ])
  // The group was undone and run again: it counts no delivery twice.
  expect(settled[8]).toMatchObject({ value: { claims: [{ head: { id: expect.not.stringMatching(/_\d+$/) } }] } })
  expect(settled[3]).toMatchObject({ reason: { message: expect.stringMatching(/UNIQUE/) } })
  expect(await w.send({ from: 'a', to: 'c', muid: 'm' })).toMatchObject({ isNew: true })
  const list = { actor: w.app, filter: { deactivated: 'with' as const }, page: { page: 1, perPage: 10 } }
  expect((await store.users.list(list)).rows.map(({ uid }) => uid)).toEqual(['a', 'bot', 'c', 'first'])
})

test.skipIf(process.platform !== 'linux')(
  'a full disk is told to every caller, and over when there is room',
  async () => {
    const directory = temporaryDirectory()
    const script = [scriptOf('append-when-full.ts'), directory]
    const { stdout } = await promisify(execFile)(process.execPath, script)
    const { before, during, after, stored } = JSON.parse(stdout) as {
      before: { done: string[]; failed: string[] }
      during: { done: string[]; failed: string[] }
      after: { done: string[]; failed: string[] }
      stored: string[]
    }
    expect([before.done.length, before.failed]).toEqual([20, []])
    expect(during.failed.length).toBeGreaterThan(0)
    expect(during.failed.join()).toMatch(/disk|full/i)
    expect([after.done.length, after.failed]).toEqual([60, []])
    // The same muids: what was told to have failed was not there, and what was told to be done was not done again.
    const unique = new Set([...before.done, ...during.done, ...after.done])
    expect(stored.sort()).toEqual([...unique].sort())
    expect(unique.size).toBe(80)
  },
  30_000,
)
