/** Messages of every kind, and what becomes of them. */
import { beforeAll, expect, test } from 'vitest'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('messages', (world) => {
  let ann: Tab
  let bob: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob', 'cara')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
  })

  const sendText = (from: Tab, receiver: string, text: string, more: object = {}) =>
    from.run(
      'sendMessage',
      (sdk, { receiver, text, more }) => {
        const message = new sdk.TextMessage(receiver, text, sdk.RECEIVER_TYPE.USER)
        for (const [setter, value] of Object.entries(more)) message[setter](value)
        return sdk.sendMessage(message)
      },
      { receiver, text, more },
    )

  test('text', async () => {
    const more = { setMetadata: { a: 1 }, setTags: ['t'], setMuid: 'm1' }
    const sent = await sendText(ann, 'bob', 'hi', more)
    console.log(JSON.stringify(sent, null, 1))
    console.log(JSON.stringify(await bob.event('onTextMessageReceived', { text: 'hi' })))
    expect(sent).toMatchObject({ text: 'hi' })
  })
})
