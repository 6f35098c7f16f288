/** Calls, as far as they are said: who rings, who takes it, who does not. */
import { beforeAll, expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import { createGroup } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('calls', (world) => {
  let ann: Tab
  let bob: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
    await createGroup(ann, 'g')
    await bob.call('joinGroup', 'g', 'public', '')
  })

  const ring = (receiver = 'bob', receiverType = 'user'): Promise<Json> =>
    ann.run(
      'initiateCall',
      (sdk, [receiver, receiverType]: string[]) => sdk.initiateCall(new sdk.Call(receiver, 'audio', receiverType)),
      [receiver, receiverType],
    )
  const incoming = (sessionId: string): Promise<Json> => bob.event('onIncomingCallReceived', { sessionId })

  test('taken, and ended', async () => {
    const call = await ring()
    expect(call).toMatchObject({ sessionId: expect.any(String), type: 'audio', action: 'initiated' })
    expect(await incoming(call.sessionId)).toMatchObject({
      callInitiator: { uid: 'ann' },
      callReceiver: { uid: 'bob' },
    })
    await bob.call('acceptCall', call.sessionId)
    await ann.event('onOutgoingCallAccepted', { sessionId: call.sessionId })
    await ann.call('endCall', call.sessionId)
    await bob.event('onCallEndedMessageReceived', { sessionId: call.sessionId })
    await bob.call('clearActiveCall')
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
  })
})
