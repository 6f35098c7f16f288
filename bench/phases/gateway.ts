/** Sockets: what an idle session costs, how soon everybody in a group has a message, and how fast many come back. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BareSocketsVerbs } from '../lib/bare-sockets.process.ts'
import { machineMs } from '../lib/now.ts'
import type { Figure, Findings, Phase, Requirement } from '../lib/phase.ts'
import { cpuMs, residentMb } from '../lib/process-usage.ts'
import type { Ask } from '../lib/questions.ts'
import type { ServerUnderTest } from '../lib/server-under-test.ts'
import type { SocketsVerbs } from '../lib/sockets.process.ts'
import { quantile } from '../lib/statistics.ts'

const MOST_KB = 30
const MOST_P99_MS = 500
const PER_SECOND = 10
const BATCH = 50
const MEMBERS_AT_ONCE = 25
const GROUP = 'everybody'

/** What the memory of a process comes to, when nothing happens any more. */
const settledMb = async (read: () => number): Promise<number> => {
  let least = Number.POSITIVE_INFINITY
  for (let n = 0; n < 12; n++) {
    await sleep(500)
    least = Math.min(least, read())
  }
  return least
}

const inBatches = async <T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> => {
  const done: R[] = []
  for (let at = 0; at < items.length; at += BATCH)
    done.push(...(await Promise.all(items.slice(at, at + BATCH).map(work))))
  return done
}

/** Users, each with the first frame of its session. */
const makeUsers = async (server: ServerUnderTest, uids: readonly string[]): Promise<string[]> =>
  inBatches(uids, async (uid) => {
    const user = (await server.call('POST', '/users', { uid, name: uid, withAuthToken: true })) as {
      data: { authToken: string }
    }
    const answer = await fetch(`http://127.0.0.1:${server.port}/v3/me`, {
      method: 'PUT',
      headers: { appid: server.appId, authtoken: user.data.authToken, 'content-type': 'application/json' },
      body: '{"platform":"WEB"}',
    })
    const { data } = (await answer.json()) as { data: { jwt: string } }
    const body = { auth: data.jwt, deviceId: `bench-${uid}` }
    return JSON.stringify({ appId: server.appId, type: 'auth', sender: uid, deviceId: body.deviceId, body })
  })

const joinAll = async (server: ServerUnderTest, uids: readonly string[]): Promise<void> => {
  await server.call('POST', '/groups', { guid: GROUP, name: 'Everybody', type: 'public' })
  for (let at = 0; at < uids.length; at += MEMBERS_AT_ONCE) {
    const participants = uids.slice(at, at + MEMBERS_AT_ONCE)
    await server.call('POST', `/groups/${GROUP}/members`, { participants })
  }
}

/** @returns when each was sent, and CPU time of the server meanwhile */
const sendSteadily = async (seconds: number, send: () => Promise<unknown>): Promise<number> => {
  const start = machineMs()
  let sent = 0
  for (; sent < seconds * PER_SECOND; sent++) {
    await sleep(Math.max(0, start + (sent * 1000) / PER_SECOND - machineMs()))
    await send()
  }
  return sent
}

interface FanOut {
  readonly p50: number
  readonly p99: number
  readonly usPerFrame: number
  readonly frames: number
  readonly wanted: number
}

const fanOut = async (
  ask: Ask<SocketsVerbs>,
  { members, seconds, cpu }: { members: number; seconds: number; cpu: () => number },
  send: () => Promise<unknown>,
): Promise<FanOut> => {
  const before = cpu()
  const messages = await sendSteadily(seconds, send)
  const { toLastMs, frames } = await ask('arrivals', { messages, each: members })
  return {
    ...{ p50: quantile(toLastMs, 0.5), p99: quantile(toLastMs, 0.99), frames, wanted: messages * members },
    usPerFrame: ((cpu() - before) * 1000) / frames,
  }
}

const pair = (what: string, unit: string, value: number, limit: number): Figure => ({
  ...{ what, value, unit, limit },
  ratio: value / limit,
})

export const gateway: Phase = {
  name: 'gateway',
  title: 'Gateway: sessions over WebSockets, beside a bare server of the same library',
  run: async ({ scale, children, startServer }): Promise<Findings> => {
    const { sessions, members, seconds, storm } = scale.gateway
    const bare = await children.fork<BareSocketsVerbs>('./bare-sockets.process.ts')
    const { port: barePort, pid: barePid } = await bare('where', null)
    const bareClients = await children.fork<SocketsVerbs>('./sockets.process.ts')
    const hello = '{"type":"auth"}'
    const idleBare = await settledMb(() => residentMb(barePid))
    const first = Array.from({ length: sessions }, () => hello)
    await bareClients('signIn', { port: barePort, first, atOnce: 200 })
    const fullBare = await settledMb(() => residentMb(barePid))

    // Seeded by another run of it, so that nothing is left of that in its memory.
    const dataDir = join(children.directory(), 'data')
    const seeding = await startServer({ dataDir })
    const uids = Array.from({ length: sessions }, (_, i) => `u${i}`)
    const frames = await makeUsers(seeding, uids)
    await joinAll(seeding, uids.slice(0, members))
    await seeding.stop()
    const server = await startServer({ dataDir })
    const clients = await children.fork<SocketsVerbs>('./sockets.process.ts')
    const idleOurs = await settledMb(server.residentMb)
    const allInMs = await clients('signIn', { port: server.port, first: frames, atOnce: 200 })
    const fullOurs = await settledMb(server.residentMb)

    const filler = 'Good morning, everybody! '.repeat(40)
    const bareFan = await fanOut(bareClients, { members, seconds, cpu: () => cpuMs(barePid).all }, () =>
      bare('broadcast', { text: `{"body":{"data":{"text":"sent-at:$NOW ${filler}"}}}`, to: members }),
    )
    const ourFan = await fanOut(clients, { members, seconds, cpu: () => server.cpuMs().all }, () =>
      fetch(`http://127.0.0.1:${server.port}/v3/messages`, {
        method: 'POST',
        headers: { ...seeding.headers, 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ receiver: GROUP, receiverType: 'group', category: 'message', type: 'text' },
          data: { text: `sent-at:${machineMs()} Good morning, everybody!` },
        }),
      }).then((answer) => answer.text()),
    )
    await clients('closeAll', null)
    await bareClients('closeAll', null)
    const bareStormMs = await bareClients('signIn', { port: barePort, first: first.slice(0, storm), atOnce: storm })
    const stormMs = await clients('signIn', { port: server.port, first: frames.slice(0, storm), atOnce: storm })
    await server.stop()

    const kbOf = (full: number, idle: number): number => ((full - idle) * 1024) / sessions
    const [ours, limit] = [kbOf(fullOurs, idleOurs), kbOf(fullBare, idleBare)]
    const requirements: Requirement[] = [
      {
        text: `memory per idle session beyond a bare socket ≤ ${MOST_KB} KB`,
        value: (ours - limit).toFixed(1),
        met: ours - limit <= MOST_KB,
      },
      {
        text: `from sending to the last of ${members} members, ${PER_SECOND} messages/s, p99 ≤ ${MOST_P99_MS} ms`,
        value: ourFan.p99.toFixed(1),
        met: ourFan.p99 <= MOST_P99_MS,
      },
      {
        text: 'every member has every message, once',
        value: `${ourFan.frames} of ${ourFan.wanted} frames`,
        met: ourFan.frames === ourFan.wanted,
      },
    ]
    return {
      figures: [
        pair(`memory per idle session, of ${sessions}`, 'KB', ours, limit),
        { what: `signing in, 200 at a time`, value: (sessions * 1000) / allInMs, unit: 'sessions/s' },
        pair(`a message to ${members} online members, to the last, p50`, 'ms', ourFan.p50, bareFan.p50),
        pair(`a message to ${members} online members, to the last, p99`, 'ms', ourFan.p99, bareFan.p99),
        pair('CPU of the server per frame', 'µs', ourFan.usPerFrame, bareFan.usPerFrame),
        pair(`${storm} sessions that come back at once, until the last is in`, 'ms', stormMs, bareStormMs),
      ],
      requirements,
      notes: [],
    }
  },
}
