import type { CallStatus } from '@confab/protocol'
import { expect, test } from 'vitest'
import { BUSY_ONGOING_SECONDS, BUSY_RINGING_SECONDS } from '../../calls/call.ts'
import { tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { Store } from '../store.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

let sessions = 0

const callsOf = (w: World) => {
  const by = (uid: string) => ({
    actor: { kind: 'user', appId: w.appId, uid: uidOf(uid) } as const,
    appCreatedAt: w.appCreatedAt,
    telling: tellingIn(w),
  })
  return {
    start: async (from: string, to: { user?: string; group?: string }, store: Store = w.store): Promise<string> => {
      const sessionId = `session-${++sessions}`
      const receiver = to.user ?? to.group ?? ''
      const receiverType = to.user === undefined ? ('group' as const) : ('user' as const)
      await store.calls.initiate({ ...by(from), sessionId, type: 'audio', receiverType, receiver, metadata: null })
      return sessionId
    },
    change: (uid: string, sessionId: string, status: CallStatus, store: Store = w.store) =>
      store.calls.change({ ...by(uid), sessionId, status }),
    status: async (sessionId: string): Promise<string> =>
      JSON.parse(await w.store.calls.find({ actor: w.app, sessionId })).status,
  }
}

export const callsConformance = (subject: Subject): void => {
  const made = async () => {
    const w = await worldOf(subject)
    await w.users('ann', 'bob', 'cara', 'dan')
    await w.group('g', { owner: 'ann', members: { bob: 'participant', cara: 'participant' } })
    return { w, c: callsOf(w) }
  }

  test('of two who take or end a call at once, one does', async () => {
    const { w, c } = await made()
    const { store, peer } = subject()
    const id = await c.start('ann', { user: 'bob' })
    const settled = await Promise.allSettled([
      c.change('bob', id, 'ongoing', store),
      c.change('ann', id, 'cancelled', peer),
      c.change('bob', id, 'rejected', peer),
    ])
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const { rows } = await w.list({ filter: { categories: ['call'] } })
    expect(rows.map(({ sender }) => sender)).toHaveLength(2)
    expect(JSON.parse(rows[1]?.data ?? '').action).toBe(await c.status(id))
  })

  test('two who call each other, and many who call one group: one call comes of it', async () => {
    const { c } = await made()
    const { store, peer } = subject()
    const each = await Promise.allSettled([
      c.start('ann', { user: 'bob' }, store),
      c.start('bob', { user: 'ann' }, peer),
    ])
    expect(each.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const { c: other } = await made()
    const all = await Promise.allSettled(
      ['ann', 'bob', 'cara'].map((uid, n) => other.start(uid, { group: 'g' }, n % 2 ? store : peer)),
    )
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('who is part of it, and who is not', async () => {
    const { w, c } = await made()
    const id = await c.start('ann', { user: 'bob' })
    const inGroup = await c.start('cara', { group: 'g' })
    for (const session of [id, inGroup]) {
      await expectCode(c.change('dan', session, 'ongoing'), 'ERR_CALL_NOT_A_PART')
      await expectCode(w.store.calls.find({ actor: w.as('dan'), sessionId: session }), 'ERR_CALL_NOT_A_PART')
    }
    await expectCode(c.change('bob', 'none', 'ongoing'), 'ERR_CALL_SESSION_NOT_FOUND')
    await expectCode(c.start('ann', { user: 'ann' }), 'ERR_CALLING_SELF')
    await expectCode(c.start('dan', { user: 'ann' }), 'ERR_CALL_BUSY_USER')
    await expectCode(c.start('dan', { group: 'g' }), 'ERR_GROUP_NOT_JOINED')
    await expectCode(c.start('bob', { group: 'g' }), 'ERR_CALL_BUSY_GROUP')
    await expectCode(c.change('ann', inGroup, 'ongoing'), 'ERR_CALL_BUSY_SELF')
    await c.change('bob', id, 'ongoing')
    await c.change('bob', id, 'ended')
    await c.change('ann', inGroup, 'ongoing')
    expect(await c.status(inGroup)).toBe('ongoing')
  })

  test('a call that nobody takes, or ends, keeps nobody busy for ever', async () => {
    const { w, c } = await made()
    await c.start('ann', { user: 'bob' })
    w.clock.advance((BUSY_RINGING_SECONDS - 1) * 1000)
    await expectCode(c.start('ann', { user: 'cara' }), 'ERR_CALL_BUSY_SELF')
    w.clock.advance(1000)
    const id = await c.start('ann', { user: 'cara' })
    await c.change('cara', id, 'ongoing')
    w.clock.advance((BUSY_ONGOING_SECONDS - 1) * 1000)
    await expectCode(c.start('bob', { user: 'cara' }), 'ERR_CALL_BUSY_USER')
    w.clock.advance(1000)
    await c.start('bob', { user: 'cara' })
  })
}
