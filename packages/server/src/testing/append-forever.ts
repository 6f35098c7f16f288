/**
 * A process that appends to the store in `argv[2]` until it is killed, and writes to the file `argv[3]` what was
 * acknowledged, a line each, before anything else happens: `message <id>`, `delivered <delivery id>`. Says `ready` when
 * it begins.
 */
import { openSync, writeSync } from 'node:fs'
import { openSqliteStore } from '../storage/sqlite/sqlite-store.ts'
import { makeAttempt, makeWorld } from './builders.ts'

const SENDERS = 6
const IN_FLIGHT = 24

const [dataDir, record] = process.argv.slice(2)
if (dataDir === undefined || record === undefined) throw new Error('usage: append-forever.ts <data directory> <record>')
const file = openSync(record, 'a')
const acknowledge = (line: string): void => {
  writeSync(file, `${line}\n`)
}

const { store } = await openSqliteStore({ dataDir }).catch((error: Error) => {
  console.log(error.name)
  process.exit(1)
})
const w = await makeWorld(store)
await w.users(...Array.from({ length: SENDERS }, (_, n) => `s${n}`))
await w.bot('bot')
await w.bot('lazy')
console.log('ready')

const appendForever = async (n: number): Promise<never> => {
  for (let turn = 0; ; turn++) {
    const to = turn % 3 === 0 ? 'lazy' : 'bot'
    const sent = await w.send({ from: `s${n % SENDERS}`, to, muid: `${n}-${turn}`, claimer: w.claimer() })
    acknowledge(`message ${sent.message.id}`)
    for (const { head, leaseId } of to === 'bot' ? sent.claims : []) {
      await store.lanes.record({
        laneId: head.laneId,
        leaseId,
        deliveryId: head.id,
        attempt: makeAttempt({ kind: 'delivered' }),
        disposition: { kind: 'delivered' },
        keepUntilMs: undefined,
        nowMs: w.clock.now(),
      })
      acknowledge(`delivered ${head.id}`)
    }
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, (_, n) => appendForever(n)))
