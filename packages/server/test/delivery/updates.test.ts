/** Bots that fetch what they are to hear, in place of being called: whose updates they are, and one call after the other. */
import type { Update } from '@confab/protocol'
import { beforeEach, describe, expect, test } from 'vitest'
import { startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { AT_ONCE_MS, describeUpdates, people } from '../support/fetching.ts'
import { acknowledge, makePuller, messageOf, openStream, pull, saidIn } from '../support/pulling.ts'
import { makeGroup, makeUsers, pause, say, sayInGroup, statesOf } from './support.ts'

describeUpdates((scene) => {
  describe('whose they are', () => {
    test('a bot that fetches needs no URL; one that is called does, and cannot fetch', async () => {
      const { server, api, bot, fetchAll, tell, change } = scene()
      await makeUsers(server, bot)
      const missing = { details: { webhookURL: expect.any(String) } }
      expect(await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid: bot } })).toMatchObject(missing)
      await api.fails('ERR_BAD_REQUEST', 'POST', '/bots', { body: { uid: bot, receive: 'push' } })
      const made = await api.ok('POST', '/bots', { body: { uid: bot, enabled: true, receive: 'pull' } })
      expect(made.data).toMatchObject({ receive: 'pull' })
      expect(made.data).not.toHaveProperty('webhookURL')
      for (const receive of ['push', null]) {
        const refused = await api.fails('ERR_BAD_REQUEST', 'PUT', `/bots/${bot}`, { body: { receive } })
        expect(refused).toMatchObject(missing)
      }
      await tell('ann 1')
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
      await change({ receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
      for (const query of [{}, { offset: 1 }, { timeoutSeconds: 5 }]) {
        expect(await fetchAll(query)).toMatchObject({ status: 409, code: 'ERR_BOT_NOT_PULLING' })
      }
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: 'ERR_BOT_NOT_PULLING' })
      const body = { offset: 1 }
      await api.fails('ERR_BOT_NOT_PULLING', 'POST', `/bots/${bot}/updates/acknowledge`, { body })
      expect(await pull(server, 'ann')).toMatchObject({ status: 404, code: 'ERR_BOT_NOT_FOUND' })
    })

    test('it is not called, whatever URL it has', async () => {
      const { server, bot, tell } = scene()
      const receiver = await startCallbackReceiver()
      await makePuller(server, bot, { webhookURL: receiver.url })
      await tell('ann 1', 'ann 2')
      await pause(1500)
      expect(receiver.connections).toBe(0)
      expect(await statesOf(server, bot)).toEqual(['pending', 'pending'])
      await receiver.close()
    })

    test('a disabled bot is given nothing, and nothing of that time later', async () => {
      const { server, bot, fetchAll, tell, change } = scene()
      await makePuller(server, bot)
      await tell('ann 1')
      await change({ enabled: false })
      await tell('ann 2')
      expect(await fetchAll()).toMatchObject({ status: 200, updates: [] })
      await change({ enabled: true })
      await tell('ann 3')
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1', 'ann 3'])
    })

    test('in groups by its setting; other triggers if it has asked for them, in the order of the conversation', async () => {
      const { server, api, bot, fetchAll } = scene()
      const group = `team-${bot}`
      await makePuller(server, bot, { groupChatSetting: 'slashedMessages', triggers: ['message_edited'] })
      await makePuller(server, `${bot}-b`)
      await makeGroup(server, group, 'ann', bot, `${bot}-b`)
      await sayInGroup(server, 'ann', group, 'for nobody')
      const { id } = await sayInGroup(server, 'ann', group, '/roll')
      await api.ok('PUT', `/messages/${id}`, { body: { data: { text: '/roll 2d6' } }, onBehalfOf: 'ann' })
      await api.ok('DELETE', `/messages/${id}`, { onBehalfOf: 'ann' })
      await sayInGroup(server, 'ann', group, '/stop')
      const { updates } = await fetchAll()
      expect(updates.map(({ trigger, sequence, callback }) => [trigger, sequence, callback.trigger])).toEqual([
        ['after_message', 1, 'after_message'],
        ['message_edited', 2, 'message_edited'],
        ['after_message', 3, 'after_message'],
      ])
      expect(updates[1]?.callback).toMatchObject({
        data: { message: { sender: 'ann', data: { action: 'edited', entities: { on: { entity: { id } } } } } },
      })
      expect((await pull(server, `${bot}-b`)).updates).toEqual([])
      await server.client.request('DELETE', `/bots/${bot}-b`)
    })

    test('an update is what would be posted, with what would be in its headers', async () => {
      const { server, api, bot, fetchAll, tell } = scene()
      await makePuller(server, bot)
      const sent = await say(server, 'ann', bot, 'hé 👋')
      await tell('ann 2')
      const { updates, offset } = await fetchAll()
      const [first, second] = updates
      expect(Object.keys(first ?? {})).toEqual([
        'offset',
        'id',
        'attempt',
        'conversationId',
        'sequence',
        'previousSequence',
        'trigger',
        'hop',
        'callback',
      ])
      expect(first).toEqual({
        offset: 1,
        id: expect.stringMatching(/^dlv_[0-9A-HJKMNP-TV-Z]{26}$/),
        attempt: 1,
        conversationId: `ann_user_${bot}`,
        sequence: 1,
        previousSequence: 0,
        trigger: 'after_message',
        hop: 0,
        callback: {
          trigger: 'after_message',
          data: sent,
          appId: server.appId,
          origin: { platform: 'API', language: 'http', resource: 'rest-api' },
          chatAPIVersion: '3.0',
          region: 'local',
          bot,
        },
      })
      expect(second).toMatchObject({ offset: 2, sequence: 2, previousSequence: 1 })
      expect(offset).toBe(2)
      // Again: the same, under a new offset.
      const again = (await fetchAll()).updates
      expect(again).toEqual(updates.map((update, n) => ({ ...update, offset: n + 3, attempt: 2 })))
      expect((await api.ok('GET', `/deliveries/${first?.id}`)).data).toMatchObject({ state: 'pending', bot })
    })
  })

  describe('one call after the other', () => {
    beforeEach(() => makePuller(scene().server, scene().bot))

    test('answers at once unless it is told to wait, and waits no longer than told', async () => {
      const { fetchAll, tell } = scene()
      const empty = await fetchAll()
      expect([empty.status, empty.updates, empty.offset]).toEqual([200, [], 0])
      expect(empty.ms).toBeLessThan(AT_ONCE_MS)
      const waited = await fetchAll({ timeoutSeconds: 1 })
      expect(waited.updates).toEqual([])
      expect(waited.ms).toBeGreaterThan(950)
      expect(waited.ms).toBeLessThan(1000 + AT_ONCE_MS)
      await tell('ann 1')
      const there = await fetchAll({ timeoutSeconds: 10 })
      expect(saidIn(there.updates)).toEqual(['ann 1'])
      expect(there.ms).toBeLessThan(AT_ONCE_MS)
    })

    test('waits until something comes, and is answered at once then', async () => {
      const { fetchAll, tell } = scene()
      const times: number[] = []
      // Between two of its looks, wherever that is.
      for (const ms of [300, 450, 600]) {
        const waiting = fetchAll({ timeoutSeconds: 20, offset: 99 })
        await pause(ms)
        const said = performance.now()
        await tell('ann 1')
        expect(saidIn((await waiting).updates)).toEqual(['ann 1'])
        times.push(performance.now() - said)
      }
      expect(Math.max(...times)).toBeLessThan(300)
    })

    test('the offset of an answer acknowledges it; what is not acknowledged comes again, and nothing else', async () => {
      const { server, bot, fetchAll, tell } = scene()
      await tell('ann 1', 'bob 1', 'ann 2')
      const first = await fetchAll()
      expect(saidIn(first.updates).toSorted()).toEqual(['ann 1', 'ann 2', 'bob 1'])
      const again = await fetchAll()
      expect(again.updates.map(({ id }) => id)).toEqual(first.updates.map(({ id }) => id))
      await tell('ann 3')
      const [one] = again.updates
      const rest = await fetchAll({ offset: one?.offset })
      expect(rest.updates.map(({ id }) => id)).not.toContain(one?.id)
      expect(saidIn([...again.updates.slice(0, 1), ...rest.updates]).toSorted()).toEqual([
        'ann 1',
        'ann 2',
        'ann 3',
        'bob 1',
      ])
      expect((await fetchAll({ offset: rest.offset })).updates).toEqual([])
      expect(await statesOf(server, bot)).toEqual(Array(4).fill('delivered'))
      await tell('bob 2')
      expect(saidIn((await fetchAll({ offset: rest.offset })).updates)).toEqual(['bob 2'])
    })

    test('may be acknowledged by itself, in parts, twice, and under old offsets to no effect', async () => {
      const { server, bot, fetchAll, tell } = scene()
      await tell('ann 1', 'ann 2', 'ann 3')
      const { updates } = await fetchAll()
      expect(updates.map(({ offset }) => offset)).toEqual([1, 2, 3])
      expect(await acknowledge(server, bot, 2)).toBe(2)
      expect(await acknowledge(server, bot, 2)).toBe(0)
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 3'])
      expect(await acknowledge(server, bot, 3)).toBe(0)
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 3'])
      expect(await acknowledge(server, bot, 5)).toBe(1)
      expect((await fetchAll()).updates).toEqual([])
    })

    test('may be acknowledged one by one, whatever could not be done before it', async () => {
      const { server, api, bot, fetchAll, tell } = scene()
      await tell('ann 1', 'ann 2', 'bob 1')
      const ids = (await fetchAll()).updates.map(({ id }) => id)
      const path = `/bots/${bot}/updates/acknowledge`
      const acknowledged = async (body: object) => (await api.ok('POST', path, { body })).data
      expect(await acknowledged({ ids: [ids[1], ids[2], ids[2], 'dlv_0'] })).toEqual({ acknowledged: 2 })
      expect(await acknowledged({ ids: [ids[1]] })).toEqual({ acknowledged: 0 })
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
      expect(await statesOf(server, bot)).toEqual(['pending', 'delivered', 'delivered'])
      for (const body of [
        {},
        { offset: 1, ids: [ids[0]] },
        { ids: [] },
        { ids: [1] },
        { ids: Array(1001).fill('a') },
      ]) {
        await api.fails('ERR_BAD_REQUEST', 'POST', path, { body })
      }
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
    })

    test('a conversation that is never done with leaves room for others, look by look', async () => {
      const { fetchAll, tell } = scene()
      for (let n = 1; n <= 6; n++) await tell(`ann ${n}`)
      await tell('bob 1', 'cat 1')
      const heard = new Set<string>()
      for (let look = 1; look <= 3; look++) {
        for (const text of saidIn((await fetchAll({ limit: 4 })).updates)) heard.add(text)
        await pause(2)
      }
      expect(heard).toEqual(new Set(['ann 1', 'ann 2', 'ann 3', 'ann 4', 'bob 1', 'cat 1']))
    })

    test('comes in pages, each conversation in order', async () => {
      const { api, bot, fetchAll, tell } = scene()
      for (let n = 1; n <= 8; n++) await tell(...people.map((person) => `${person} ${n}`))
      const heard: Update[] = []
      let offset: number | undefined
      const sizes: number[] = []
      for (;;) {
        const page = await fetchAll({ limit: 5, offset })
        if (page.updates.length === 0) break
        sizes.push(page.updates.length)
        heard.push(...page.updates)
        offset = page.offset
      }
      expect(sizes).toEqual([5, 5, 5, 5, 5, 5, 2])
      for (const person of people) {
        const own = heard.filter((update) => messageOf(update).sender === person)
        expect(saidIn(own)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${person} ${n}`))
        expect(own.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      }
      expect(new Set(heard.map(({ id }) => id)).size).toBe(32)
      await api.fails('ERR_BAD_REQUEST', 'GET', `/bots/${bot}/updates`, { query: { limit: 0 } })
      await api.fails('ERR_BAD_REQUEST', 'GET', `/bots/${bot}/updates`, { query: { timeoutSeconds: 51 } })
    })

    test('acknowledges nothing that the one before it had in hand, and it never saw', async () => {
      const { fetchAll, tell } = scene()
      await tell('ann 1', 'ann 2', 'ann 3', 'ann 4')
      expect((await fetchAll()).updates).toHaveLength(4)
      // Its process is gone; the next one takes less at a time.
      const { updates, offset } = await fetchAll({ limit: 1 })
      expect(saidIn(updates)).toEqual(['ann 1'])
      expect(saidIn((await fetchAll({ offset })).updates)).toEqual(['ann 2', 'ann 3', 'ann 4'])
    })
  })
})
