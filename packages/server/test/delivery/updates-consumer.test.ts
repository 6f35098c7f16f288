/** Bots that fetch what they are to hear: one consumer at a time. */
import { beforeEach, describe, expect, test } from 'vitest'
import { ALREADY, describeUpdates, SOON } from '../support/fetching.ts'
import { makePuller, openStream, pull, saidIn } from '../support/pulling.ts'
import { pause, until } from './support.ts'

describeUpdates((scene) => {
  describe('one consumer at a time', () => {
    beforeEach(() => makePuller(scene().server, scene().bot))

    test('while one call waits, another and a stream are refused; when it leaves, they may come', async () => {
      const { server, bot, fetchAll, tell } = scene()
      const leaving = new AbortController()
      const waiting = pull(server, bot, { timeoutSeconds: 20 }, leaving.signal).catch((error: Error) => error.name)
      await pause(500)
      expect(await fetchAll({ timeoutSeconds: 5 })).toMatchObject({ status: 409, code: ALREADY })
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      leaving.abort()
      expect(await waiting).toBe('AbortError')
      await until('its place is free', async () => (await fetchAll()).status === 200, 2000)
      await tell('ann 1')
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
    })

    test('a stream keeps its place until it leaves', async () => {
      const { server, bot, fetchAll, tell } = scene()
      const stream = await openStream(server, bot)
      expect(await fetchAll()).toMatchObject({ code: ALREADY })
      expect(await openStream(server, bot)).toMatchObject({ status: 409, code: ALREADY })
      await tell('ann 1')
      await expect.poll(() => saidIn(stream.updates), SOON).toEqual(['ann 1'])
      stream.leave()
      await until('its place is free', async () => (await fetchAll({ limit: 1 })).status === 200, 2000)
      // Not acknowledged: it is the next one's.
      expect(saidIn((await fetchAll()).updates)).toEqual(['ann 1'])
    })

    test('of many at once exactly one is served', async () => {
      const { fetchAll } = scene()
      const asked = Array.from({ length: 5 }, () => fetchAll({ timeoutSeconds: 1 }))
      const answers = await Promise.all(asked)
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(answers.filter(({ code }) => code === ALREADY)).toHaveLength(4)
    })

    test('another bot is another matter', async () => {
      const { server, bot } = scene()
      await makePuller(server, `${bot}-b`)
      const stream = await openStream(server, bot)
      expect((await pull(server, `${bot}-b`)).status).toBe(200)
      stream.leave()
      await server.client.request('DELETE', `/bots/${bot}-b`)
    })
  })
})
