/** Bots that fetch what they are to hear: as a stream. */
import { beforeEach, describe, expect, test } from 'vitest'
import { AT_ONCE_MS, describeUpdates, people, SOON } from '../support/fetching.ts'
import { acknowledge, makePuller, messageOf, openStream, saidIn } from '../support/pulling.ts'
import { pause } from './support.ts'

describeUpdates((scene) => {
  describe('a stream', () => {
    beforeEach(() => makePuller(scene().server, scene().bot))

    test('brings updates as they happen, each once, in order', async () => {
      const { server, bot, tell } = scene()
      await tell('ann 1')
      const stream = await openStream(server, bot)
      await expect.poll(() => stream.updates.length, SOON).toBe(1)
      const times: number[] = []
      for (let n = 2; n <= 6; n++) {
        await pause(120)
        const said = performance.now()
        await tell(`ann ${n}`)
        await expect.poll(() => stream.updates.length, { interval: 5 }).toBe(n)
        times.push(performance.now() - said)
      }
      expect(Math.max(...times)).toBeLessThan(AT_ONCE_MS)
      expect(saidIn(stream.updates)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `ann ${n}`))
      expect(stream.updates.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6])
      await pause(1200)
      expect(stream.updates).toHaveLength(6)
      stream.leave()
    })

    test('is no more than a hundred ahead of what is acknowledged', async () => {
      const { server, bot, tell } = scene()
      for (let n = 1; n <= 30; n++) await Promise.all(people.map((person) => tell(`${person} ${n}`)))
      const stream = await openStream(server, bot)
      await expect.poll(() => stream.updates.length, SOON).toBe(100)
      await pause(1300)
      expect(stream.updates).toHaveLength(100)
      expect(await acknowledge(server, bot, stream.updates[4]?.offset ?? 0)).toBe(5)
      await expect.poll(() => stream.updates.length, SOON).toBe(105)
      await pause(1300)
      expect(stream.updates).toHaveLength(105)
      await acknowledge(server, bot, stream.updates.at(-1)?.offset ?? 0)
      await expect.poll(() => stream.updates.length, SOON).toBe(120)
      for (const person of people) {
        const own = stream.updates.filter((update) => messageOf(update).sender === person)
        expect(own.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
      }
      stream.leave()
    })

    test('that is a hundred ahead goes on at once when something is acknowledged', async () => {
      const { server, bot, tell } = scene()
      for (let n = 1; n <= 26; n++) await Promise.all(people.map((person) => tell(`${person} ${n}`)))
      const stream = await openStream(server, bot)
      await expect.poll(() => stream.updates.length, SOON).toBe(100)
      await pause(300)
      await acknowledge(server, bot, 100)
      await expect
        .poll(() => stream.updates.length, { timeout: AT_ONCE_MS })
        .toBe(104)
        .finally(stream.leave)
    })

    test('acknowledges by its offset, and brings again what is not acknowledged', async () => {
      const { server, bot, fetchAll, tell } = scene()
      await tell('ann 1', 'ann 2', 'ann 3')
      const { updates } = await fetchAll()
      const stream = await openStream(server, bot, `?offset=${updates[0]?.offset}`)
      await expect.poll(() => saidIn(stream.updates), SOON).toEqual(['ann 2', 'ann 3'])
      stream.leave()
    })
  })
})
