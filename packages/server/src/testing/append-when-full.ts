/**
 * A process that runs out of room in the middle of its appends and gets it back: the store's files may not grow for a
 * while (a limit on the size of files, set with `prlimit`). Prints what became of the appends, as JSON.
 */
import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { openSqliteStore } from '../storage/sqlite/sqlite-store.ts'
import { makeWorld } from './builders.ts'

// Unheard, the signal would end the process; heard, the write fails.
process.on('SIGXFSZ', () => {})
const limitFiles = (bytes: number | 'unlimited'): void => {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`])
}

const dataDir = process.argv[2]
if (dataDir === undefined) throw new Error('usage: append-when-full.ts <data directory>')
const { store } = await openSqliteStore({ dataDir })
const w = await makeWorld(store)
await w.users('a', 'b')

const appendMany = async (prefix: string, count: number): Promise<{ done: string[]; failed: string[] }> => {
  const text = 'x'.repeat(4000)
  const send = (n: number) => w.send({ from: 'a', to: 'b', text, muid: `${prefix}${n}` })
  const settled = await Promise.allSettled(Array.from({ length: count }, (_, n) => send(n)))
  return {
    done: settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.message.id] : [])),
    failed: settled.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : [])),
  }
}

const before = await appendMany('before', 20)
limitFiles(statSync(join(dataDir, 'confab.sqlite-wal')).size + 64 * 1024)
const during = await appendMany('during', 60)
limitFiles('unlimited')
const after = await appendMany('during', 60)
const { rows } = await w.list({ cursor: { limit: 1000 } })
await store.close()
console.log(JSON.stringify({ before, during, after, stored: rows.map(({ id }) => id) }))
