/** What holds when a bot changes from being called to fetching what it is to hear, and back. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { describeUpdates, SOON } from '../support/fetching.ts'
import { acknowledge, makePuller, messageOf, openStream, saidIn } from '../support/pulling.ts'
import { attemptOf, callbackOf, pause, statesOf, textsOf, until } from './support.ts'

describeUpdates((scene) => {
  describe('from being called to fetching, and back', () => {
    const retryPolicy = { delaysSeconds: [0.1], giveUpAfterSeconds: 2 }
    let receiver: CallbackReceiver
    beforeEach(async () => {
      const { server, bot } = scene()
      receiver = await startCallbackReceiver()
      await makePuller(server, bot, { receive: 'push', webhookURL: receiver.url, retryPolicy })
    })
    afterEach(() => receiver.close())

    test('with a backlog, and callbacks under way: nothing is lost, nothing out of order', async () => {
      const { server, bot, fetchAll, tell, change } = scene()
      // Those under way when it changes: one will be taken, one will not.
      receiver.setBehaviour((one) => {
        const { text } = callbackOf(one).data.data
        return { status: text === 'bob 1' && attemptOf(one) === 1 ? 500 : 200, delayMs: 700 }
      })
      await tell('ann 1', 'bob 1', 'ann 2', 'bob 2', 'ann 3')
      await receiver.waitFor(2, 5000)
      await change({ receive: 'pull' })
      expect((await fetchAll()).updates).toEqual([])
      await tell('cat 1')
      expect(saidIn((await fetchAll()).updates)).toEqual(['cat 1'])
      await until('both attempts are on record', async () => {
        const { updates } = await fetchAll()
        return updates.length === 5
      })
      expect(textsOf(receiver.received).toSorted()).toEqual(['ann 1', 'bob 1'])
      const { updates } = await fetchAll()
      const of = (person: string): string[] => saidIn(updates).filter((text) => text.startsWith(person))
      expect([of('ann'), of('bob'), of('cat')]).toEqual([['ann 2', 'ann 3'], ['bob 1', 'bob 2'], ['cat 1']])
      // Up to the first of ann's, whatever comes before it.
      const upTo = updates.findIndex((update) => messageOf(update).data.text === 'ann 2')
      await acknowledge(server, bot, updates[upTo]?.offset ?? 0)
      const left = saidIn(updates.slice(upTo + 1))
      expect(left).toContain('ann 3')
      receiver.setBehaviour(() => ({ status: 200 }))
      await change({ receive: 'push' })
      await tell('ann 4')
      const pushed = textsOf(await receiver.waitFor(2 + left.length + 1, 5000)).slice(2)
      expect(pushed.toSorted()).toEqual([...left, 'ann 4'].toSorted())
      expect(pushed.filter((text) => text.startsWith('ann'))).toEqual(['ann 3', 'ann 4'])
      const bobs = left.filter((text) => text.startsWith('bob'))
      expect(pushed.filter((text) => text.startsWith('bob'))).toEqual(bobs)
      await until('all is delivered', async () => (await statesOf(server, bot)).every((state) => state === 'delivered'))
      expect(receiver.received).toHaveLength(2 + left.length + 1)
    })

    test('a stream ends when the bot is called again, and a call that waits is told so', async () => {
      const { server, bot, fetchAll, tell, change } = scene()
      await change({ receive: 'pull' })
      const stream = await openStream(server, bot)
      await tell('ann 1')
      await expect.poll(() => saidIn(stream.updates), SOON).toEqual(['ann 1'])
      await change({ receive: 'push' })
      await stream.ended
      expect(textsOf(await receiver.waitFor(1, 5000))).toEqual(['ann 1'])
      await change({ receive: 'pull' })
      const waiting = fetchAll({ timeoutSeconds: 20 })
      await pause(200)
      await change({ receive: 'push' })
      expect(await waiting).toMatchObject({ code: 'ERR_BOT_NOT_PULLING' })
    })
  })
})
