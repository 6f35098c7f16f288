import type { Uid } from '@confab/protocol'
import { expect, test } from 'vitest'
import { callbackOf, HOP_LIMIT, uidOf, type World } from '../../testing/builders.ts'
import { claimIn } from './lanes.ts'
import { type Subject, worldOf } from './subject.ts'

const hears = { settings: { relayBotMessages: true } }

const setUp = async (subject: Subject): Promise<World> => {
  const w = await worldOf(subject)
  await w.users('ann')
  await w.bot('ping', hears)
  await w.bot('pong', hears)
  await w.bot('deaf')
  await w.group('room', {
    members: { ann: 'participant', ping: 'participant', pong: 'participant', deaf: 'participant' },
  })
  return w
}

/** Says it in the group, and answers whom it reached, with which hop. */
const say = async (w: World, from: string, hop = 0) => {
  const { claims, cut } = await w.send({ from, toGroup: 'room', hop, claimer: w.claimer() })
  // The lanes are given back, so that each message finds them idle.
  for (const claim of claims) {
    const { leaseId, head } = claim
    await w.store.deliveries.cancel({ appId: w.appId, id: head.id, nowMs: w.clock.now() })
    await w.store.lanes.reread({ laneId: head.laneId, leaseId })
    expect(callbackOf(claim).appId).toBe(w.appId)
  }
  return { heard: claims.map((claim) => `${callbackOf(claim).bot} ${claim.head.hop}`).sort(), cut }
}

const nobody: readonly Uid[] = []

export const hopsConformance = (subject: Subject): void => {
  test('a bot hears other bots only if it asks for it, and never itself', async () => {
    const w = await setUp(subject)
    expect(await say(w, 'ann')).toEqual({ heard: ['deaf 0', 'ping 0', 'pong 0'], cut: nobody })
    expect(await say(w, 'ping')).toEqual({ heard: ['pong 1'], cut: nobody })
    expect(await say(w, 'deaf')).toEqual({ heard: ['ping 1', 'pong 1'], cut: nobody })
  })

  test('two that answer each other come to an end, which is on record; a person begins anew', async () => {
    const w = await setUp(subject)
    await say(w, 'ann')
    expect(await say(w, 'ping')).toEqual({ heard: ['pong 1'], cut: nobody })
    expect(await say(w, 'pong')).toEqual({ heard: ['ping 2'], cut: nobody })
    expect(await say(w, 'ping')).toEqual({ heard: ['pong 3'], cut: nobody })
    expect(HOP_LIMIT).toBe(3)
    expect(await say(w, 'pong')).toEqual({ heard: [], cut: [uidOf('ping')] })
    const { rows } = await w.store.deliveries.list({
      appId: w.appId,
      filter: { bot: uidOf('ping') },
      range: {},
      limit: 1,
      scan: 10,
    })
    expect(rows).toMatchObject([{ state: 'cancelled', reason: 'hop-limit', hop: 4, attempts: 0, sequence: 3 }])
    expect((await claimIn(w)).claims).toEqual([])
    // Made all the same, there is no reason why it was not.
    const made = await w.store.deliveries.replay({ appId: w.appId, id: rows[0]?.id ?? '', nowMs: w.clock.now() })
    expect([made.state, made.reason]).toEqual(['pending', undefined])
    await w.store.deliveries.cancel({ appId: w.appId, id: made.id, nowMs: w.clock.now() })
    expect((await say(w, 'ann')).heard).toContain('ping 0')
    expect(await say(w, 'pong')).toEqual({ heard: ['ping 1'], cut: nobody })
    // The sequence tells of what was cut.
    const [last] = (await w.send({ from: 'ann', toGroup: 'room', claimer: w.claimer() })).claims.filter(
      (claim) => callbackOf(claim).bot === 'ping',
    )
    expect(last?.head.sequence).toBe(6)
  })

  test('what a bot says of it counts, also in another conversation, and what it does not say is known', async () => {
    const w = await setUp(subject)
    expect(await say(w, 'ping', 2)).toEqual({ heard: ['pong 3'], cut: nobody })
    const direct = await w.send({ from: 'pong', to: 'ping', hop: 3, claimer: w.claimer() })
    expect([direct.claims, direct.cut]).toEqual([[], ['ping']])
    // A person who says so is not believed.
    expect((await w.send({ from: 'ann', to: 'ping', hop: 100, claimer: w.claimer() })).claims[0]?.head.hop).toBe(0)
  })

  test('what was heard long ago is not what is answered now', async () => {
    const w = await setUp(subject)
    await say(w, 'ping', 2)
    expect(await say(w, 'pong')).toEqual({ heard: [], cut: [uidOf('ping')] })
    w.clock.advance(5 * 60_000)
    expect(await say(w, 'pong')).toEqual({ heard: ['ping 1'], cut: nobody })
  })
}
