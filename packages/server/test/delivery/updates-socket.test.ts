/** Bots that fetch what they are to hear: over a WebSocket. */
import { beforeEach, describe, expect, test } from 'vitest'
import { ALREADY, AT_ONCE_MS, describeUpdates, people, SOON } from '../support/fetching.ts'
import { makePuller, openSocket, openStream, saidIn } from '../support/pulling.ts'
import { pause, statesOf, until } from './support.ts'

describeUpdates((scene) => {
  describe('a WebSocket', () => {
    beforeEach(() => makePuller(scene().server, scene().bot))

    test('brings updates as they happen, and hears what is done', async () => {
      const { server, bot, tell } = scene()
      await tell('ann 1')
      const bots = await openSocket(server, bot)
      const { frames, socket } = bots
      await expect.poll(() => saidIn(bots.updates), SOON).toEqual(['ann 1'])
      const said = performance.now()
      await tell('bob 1')
      await expect.poll(() => frames.length, { interval: 5 }).toBe(2)
      expect(performance.now() - said).toBeLessThan(AT_ONCE_MS)
      const [one, two] = bots.updates
      expect(one).toMatchObject({ offset: 1, sequence: 1, callback: { trigger: 'after_message', bot } })
      bots.say({ acknowledge: { ids: [two?.id] } })
      await expect.poll(() => frames.at(-1), SOON).toEqual({ acknowledged: 1 })
      expect(await statesOf(server, bot)).toEqual(['pending', 'delivered'])
      bots.say({ acknowledge: { offset: two?.offset } })
      await expect.poll(() => frames.length, SOON).toBe(4)
      expect(frames.at(-1)).toEqual({ acknowledged: 1 })
      expect(await statesOf(server, bot)).toEqual(['delivered', 'delivered'])
      socket.close()
    })

    test('begins behind an offset, and what it does not acknowledge comes again', async () => {
      const { server, bot, fetchAll, tell } = scene()
      await tell('ann 1', 'ann 2', 'ann 3')
      const { updates } = await fetchAll()
      const first = await openSocket(server, bot, { query: `?offset=${updates[0]?.offset}` })
      await expect.poll(() => saidIn(first.updates), SOON).toEqual(['ann 2', 'ann 3'])
      first.socket.close()
      await until('its place is free', async () => (await fetchAll({ limit: 1 })).status === 200, 2000)
      const second = await openSocket(server, bot)
      await expect.poll(() => saidIn(second.updates), SOON).toEqual(['ann 2', 'ann 3'])
      expect(second.updates.map(({ id }) => id)).toEqual(first.updates.map(({ id }) => id))
      second.socket.close()
    })

    test('is no more than a hundred ahead, a quarter of it of one conversation', async () => {
      const { server, bot, tell } = scene()
      for (let n = 1; n <= 30; n++) await tell(`ann ${n}`)
      await tell('bob 1')
      const one = await openSocket(server, bot)
      await expect.poll(() => one.updates.length, SOON).toBe(26)
      await pause(1300)
      expect(saidIn(one.updates)).toContain('bob 1')
      expect(one.updates).toHaveLength(26)
      one.say({ acknowledge: { offset: one.updates[9]?.offset } })
      await expect.poll(() => one.updates.length, SOON).toBe(31)
      one.socket.close()
    })

    test('has the one place of a consumer, until it leaves', async () => {
      const { server, bot, fetchAll } = scene()
      const one = await openSocket(server, bot)
      expect(await openSocket(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      expect(await fetchAll()).toMatchObject({ code: ALREADY })
      one.socket.terminate()
      await until('its place is free', async () => (await fetchAll()).status === 200, 2000)
    })

    test('is refused in the words of any other request', async () => {
      const { server, bot, fetchAll } = scene()
      const refusal = async (uid: string, headers?: Record<string, string>, query = '') => {
        const { status, code } = await openSocket(server, uid, { query, ...(headers && { headers }) })
        return [status, code]
      }
      const { appId } = server
      expect(await refusal(bot, { appid: appId })).toEqual([401, 'AUTH_ERR_EMPTY_APIKEY'])
      expect(await refusal(bot, { appid: appId, apikey: 'nobody' })).toEqual([401, 'AUTH_ERR_APIKEY_NOT_FOUND'])
      expect(await refusal(bot, { appid: appId, apikey: server.authKey })).toEqual([403, 'AUTH_ERR_NO_ACCESS'])
      expect(await refusal('nobody')).toEqual([404, 'ERR_BOT_NOT_FOUND'])
      expect(await refusal(bot, undefined, '?offset=x')).toEqual([400, 'ERR_BAD_REQUEST'])
      await makePuller(server, `${bot}-b`, { receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
      expect(await refusal(`${bot}-b`)).toEqual([409, 'ERR_BOT_NOT_PULLING'])
      await server.client.request('DELETE', `/bots/${bot}-b`)
      // Nobody has its place from all this.
      expect((await fetchAll()).status).toBe(200)
    })

    test('answers what is no frame with what is wrong with it, changes nothing, and goes on', async () => {
      const { server, bot, fetchAll, tell } = scene()
      await tell('ann 1')
      const one = await openSocket(server, bot)
      await expect.poll(() => one.updates.length, SOON).toBe(1)
      const bad = [
        '',
        'x',
        '[]',
        'null',
        '{}',
        { acknowledge: 1 },
        { acknowledge: {} },
        { acknowledge: { offset: 'x' } },
        { acknowledge: { offset: -1 } },
        '{"acknowledge":{"offset":1},"__proto__":{}}',
        `{"acknowledge":{"offset":1},"a":${'['.repeat(5000)}${']'.repeat(5000)}}`,
        { acknowledge: { offset: 1, ids: ['a'] } },
        { acknowledge: { ids: Array(1001).fill('a') } },
        Buffer.from([1, 2, 3]),
      ]
      for (const frame of bad) {
        if (Buffer.isBuffer(frame)) one.socket.send(frame)
        else one.say(frame)
      }
      await expect.poll(() => one.frames.length, SOON).toBe(1 + bad.length)
      for (const frame of one.frames.slice(1)) expect(frame).toMatchObject({ error: { code: 'ERR_BAD_REQUEST' } })
      expect(await statesOf(server, bot)).toEqual(['pending'])
      one.say({ acknowledge: { offset: one.updates[0]?.offset } })
      await expect.poll(() => one.frames.at(-1), SOON).toEqual({ acknowledged: 1 })
      // Far more than anything that it may say.
      one.say('x'.repeat(200_000))
      expect(await one.closed).toMatchObject({ code: 1009 })
      await until('its place is free', async () => (await fetchAll()).status === 200, 2000)
    })

    test('hears all that is said at once, in order', async () => {
      const { server, bot, tell } = scene()
      for (let n = 1; n <= 6; n++) await Promise.all(people.map((person) => tell(`${person} ${n}`)))
      const one = await openSocket(server, bot)
      await expect.poll(() => one.updates.length, SOON).toBe(24)
      for (const { id } of one.updates) for (let n = 0; n < 20; n++) one.say({ acknowledge: { ids: [id] } })
      await expect.poll(() => one.frames.length, { timeout: 20_000 }).toBe(24 + 480)
      const answers = one.frames.flatMap((frame) => ('acknowledged' in frame ? [frame.acknowledged] : []))
      expect(answers).toEqual(Array.from({ length: 480 }, (_, n) => (n % 20 === 0 ? 1 : 0)))
      one.socket.close()
    })

    test('ends when the bot is called again, or is gone, and says why', async () => {
      const { server, api, bot, change } = scene()
      const one = await openSocket(server, bot)
      await change({ receive: 'push', webhookURL: 'http://127.0.0.1:1/' })
      expect(await one.closed).toMatchObject({ code: 1008 })
      expect(one.frames).toMatchObject([{ error: { code: 'ERR_BOT_NOT_PULLING' } }])
      await change({ receive: 'pull' })
      const two = await openSocket(server, bot)
      await api.ok('DELETE', `/bots/${bot}`)
      expect(await two.closed).toMatchObject({ code: 1008 })
      expect(two.frames).toMatchObject([{ error: { code: 'ERR_BOT_NOT_FOUND' } }])
    })

    test('ends, as a stream does, when the key is taken away that it was opened with', async () => {
      const { server, api, bot } = scene()
      const { data } = await api.ok('POST', '/apikeys', { body: { name: 'for a while', scope: 'fullAccess' } })
      const headers = { appid: server.appId, apikey: data.apiKey as string }
      const stream = await fetch(`${server.url}/v3/bots/${bot}/updates/stream`, { headers })
      expect(stream.status).toBe(200)
      await makePuller(server, `${bot}-b`)
      const socket = await openSocket(server, `${bot}-b`, { headers })
      expect(socket.status).toBe(101)
      await api.ok('DELETE', `/apikeys/${data.apiKey}`)
      expect(await socket.closed).toMatchObject({ code: 1008 })
      expect(socket.frames).toMatchObject([{ error: { code: 'AUTH_ERR_APIKEY_NOT_FOUND' } }])
      expect(await stream.text()).toBe(': connected\n\n')
      await server.client.request('DELETE', `/bots/${bot}-b`)
    })
  })
})
