/** Calls, as far as they are said: who rings, who takes it, who does not. */
import { beforeAll, expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import { createGroup, history } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('calls', (world) => {
  let ann: Tab
  let bob: Tab
  let tablet: Tab
  let cara: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
    tablet = await world().enter('bob')
    cara = await world().enter('cara')
    await createGroup(ann, 'g')
    for (const tab of [bob, cara]) await tab.call('joinGroup', 'g', 'public', '')
  })

  const ring = (receiver = 'bob', receiverType = 'user', type = 'audio'): Promise<Json> =>
    ann.run(
      'initiateCall',
      (sdk, [receiver, receiverType, type]: string[]) => sdk.initiateCall(new sdk.Call(receiver, type, receiverType)),
      [receiver, receiverType, type],
    )
  const incoming = (sessionId: string): Promise<Json> => bob.event('onIncomingCallReceived', { sessionId })

  test('taken, and ended', async () => {
    const call = await ring()
    expect(call).toMatchObject({ sessionId: expect.any(String), type: 'audio', action: 'initiated' })
    expect(await incoming(call.sessionId)).toMatchObject({
      callInitiator: { uid: 'ann' },
      callReceiver: { uid: 'bob' },
    })
    await tablet.event('onIncomingCallReceived', { sessionId: call.sessionId })
    expect(await bob.call('acceptCall', call.sessionId)).toMatchObject({ action: 'ongoing', status: 'ongoing' })
    await ann.event('onOutgoingCallAccepted', { sessionId: call.sessionId })
    // The other device of who has taken it need not ring any more.
    await tablet.event('onOutgoingCallAccepted', { sessionId: call.sessionId, sender: { uid: 'bob' } })
    expect(await bob.call('getActiveCall')).toMatchObject({ sessionId: call.sessionId })
    expect(await ann.call('endCall', call.sessionId)).toMatchObject({ action: 'ended' })
    for (const tab of [bob, tablet]) await tab.event('onCallEndedMessageReceived', { sessionId: call.sessionId })
    await bob.call('clearActiveCall')
    expect(await bob.call('getActiveCall')).toBeNull()
    expect(await ann.fails('acceptCall', (sdk, id) => sdk.acceptCall(id), call.sessionId)).toBe('ERR_CALL_TERMINATED')
    await ann.call('clearActiveCall')
  })

  test.each(['rejected', 'busy'])('%s', async (status) => {
    const { sessionId } = await ring()
    await incoming(sessionId)
    await bob.call('rejectCall', sessionId, status)
    expect(await ann.event('onOutgoingCallRejected', { sessionId })).toMatchObject({ action: status })
  })

  test('cancelled', async () => {
    const { sessionId } = await ring()
    await incoming(sessionId)
    await ann.call('rejectCall', sessionId, 'cancelled')
    await bob.event('onIncomingCallCancelled', { sessionId })
  })

  test.each([
    ['rejectIncomingCall', 'onOutgoingCallRejected'],
    ['sendBusyResponse', 'onOutgoingCallRejected'],
    ['cancelCall', 'onIncomingCallCancelled'],
  ])('%s', async (method, event) => {
    const { sessionId } = await ring()
    await incoming(sessionId)
    const [from, to] = method === 'cancelCall' ? [ann, bob] : [bob, ann]
    await from.call(method, sessionId)
    await to.event(event, { sessionId })
  })

  test('not answered', async () => {
    const { sessionId } = await ring()
    await incoming(sessionId)
    await ann.call('sendUnansweredResponse', sessionId)
    await bob.event('onIncomingCallCancelled', { sessionId })
    await ann.call('clearActiveCall')
  })

  test('in a group', async () => {
    const { sessionId } = await ring('g', 'group')
    expect(await incoming(sessionId)).toMatchObject({ callReceiver: { guid: 'g' } })
    await ann.call('rejectCall', sessionId, 'cancelled')
    await bob.event('onIncomingCallCancelled', { sessionId })
    await cara.event('onIncomingCallCancelled', { sessionId })
  })

  test('in a group it goes on until the last has left', async () => {
    const { sessionId } = await ring('g', 'group', 'video')
    for (const tab of [bob, cara]) {
      expect(await tab.event('onIncomingCallReceived', { sessionId })).toMatchObject({ type: 'video' })
      await tab.call('acceptCall', sessionId)
      await ann.event('onOutgoingCallAccepted', { sessionId, sender: { uid: tab.name } })
    }
    for (const tab of [cara, bob]) await tab.call('endCall', sessionId)
    expect(ann.all('onCallEndedMessageReceived', { sessionId })).toEqual([])
    await ann.call('endCall', sessionId)
    for (const tab of [bob, cara]) await tab.event('onCallEndedMessageReceived', { sessionId })
    const told = (await history(bob, { setGUID: 'g', setCategories: ['call'] })).map(({ action }) => action)
    expect(told).toEqual(['initiated', 'cancelled', 'initiated', 'ongoing', 'ongoing', 'left', 'left', 'ended'])
  })
})
