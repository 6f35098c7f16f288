/** What every driver must do. Each driver's test runs this against the real thing. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Logger } from '../../kernel/logger.ts'
import type { ThrowAwayServer } from '../../testing/services-child.ts'
import { type Bus, MAX_MESSAGE_BYTES } from '../bus.ts'

/** Opens another node on the same bus. */
export type OpenNode = (log: Logger) => Promise<Bus>

interface Logged {
  readonly event: string
  readonly fields: object
}

/** Keeps what is logged as a warning or worse. */
const recordingLog = (): { log: Logger; logged: Logged[] } => {
  const logged: Logged[] = []
  const keep = (fields: object, event: string): void => {
    logged.push({ event, fields })
  }
  return { log: { debug: () => {}, info: () => {}, warn: keep, error: keep }, logged }
}

const WAIT = { timeout: 10_000, interval: 5 }

/** Long enough for anything that is under way to arrive. */
const quiet = (): Promise<void> => sleep(100)

/** What keeps this process alive, but for the pipes to the one that runs the tests, and servers that tests started. */
const handles = (): string[] =>
  process.getActiveResourcesInfo().filter((handle) => handle !== 'PipeWrap' && handle !== 'ProcessWrap')

/** Not `vi.waitFor`, whose own timers would be among the handles. */
const expectNoHandles = async (): Promise<void> => {
  for (let tries = 0; tries < 200 && handles().length > 0; tries += 1) await sleep(10)
  expect(handles()).toEqual([])
}

/** Subscribes, and gives the list into which messages come. */
const inbox = async (bus: Bus, subject: string): Promise<string[]> => {
  const received: string[] = []
  await bus.subscribe(subject, (message) => received.push(message))
  return received
}

export const testBus = (name: string, open: OpenNode): void => {
  describe(`the ${name} bus`, () => {
    const { log, logged } = recordingLog()
    let one: Bus
    let two: Bus

    beforeEach(async () => {
      logged.length = 0
      const opened = await Promise.all([open(log), open(log)])
      ;[one, two] = opened
    })
    afterEach(async () => {
      await Promise.all([one.close(), two.close()])
    })

    test('reaches every subscriber on every node, the publisher’s own too', async () => {
      const inboxes = await Promise.all([inbox(one, 's'), inbox(one, 's'), inbox(two, 's')])
      one.publish('s', 'from one')
      await vi.waitFor(() => expect(inboxes).toEqual([['from one'], ['from one'], ['from one']]), WAIT)
      two.publish('s', 'from two')
      const both = ['from one', 'from two']
      await vi.waitFor(() => expect(inboxes).toEqual([both, both, both]), WAIT)
    })

    test('keeps subjects apart, whatever they contain', async () => {
      const subjects = ['a', 'a.b', 'a.*', 'a.>', '*', '>', 'a b', 'A', 'a%2eb', 'ä', 'a..b', '.a', '💬', "it's"]
      const inboxes = await Promise.all(subjects.map((subject) => inbox(two, subject)))
      for (const subject of subjects) one.publish(subject, `to ${subject}`)
      await vi.waitFor(() => expect(inboxes.flat()).toHaveLength(subjects.length), WAIT)
      await quiet()
      expect(inboxes).toEqual(subjects.map((subject) => [`to ${subject}`]))
    })

    test('brings messages unchanged', async () => {
      const messages = ['', ' ', 'a\0b\r\n', '"\\', 'ä💬'.repeat(5000), '{"json":[1]}']
      const received = await inbox(two, 's')
      for (const message of messages) one.publish('s', message)
      await vi.waitFor(() => expect(received).toHaveLength(messages.length), WAIT)
      expect(received).toEqual(messages)
    })

    test('brings equal messages as often as they were published', async () => {
      const received = await inbox(two, 's')
      const large = 'x'.repeat(7900)
      for (const message of ['same', 'same', large, large, large, 'same']) one.publish('s', message)
      await vi.waitFor(() => expect(received).toHaveLength(6), WAIT)
      await quiet()
      expect(received).toEqual(['same', 'same', large, large, large, 'same'])
    })

    test('takes messages up to the limit, and drops and logs what is larger', async () => {
      const received = await inbox(two, 's')
      const largest = 'ä'.repeat(MAX_MESSAGE_BYTES / 2)
      one.publish('s', `${largest}!`)
      one.publish('s', largest)
      one.publish('s', 'after')
      await vi.waitFor(() => expect(received).toHaveLength(2), WAIT)
      expect(received[0] === largest).toBe(true)
      expect(received[1]).toBe('after')
      expect(logged.map(({ event }) => event)).toEqual(['bus.message_too_large'])
    })

    test('keeps the order of each publisher in a burst of 10,000, and loses none of it', async () => {
      const received = await inbox(two, 's')
      const numbers = Array.from({ length: 5000 }, (_, index) => index)
      for (const number of numbers) {
        one.publish('s', `one ${number}`)
        two.publish('s', `two ${number}`)
        if (number % 500 === 0) await sleep(1)
      }
      await vi.waitFor(() => expect(received).toHaveLength(10_000), WAIT)
      const of = (publisher: string): string[] => received.filter((message) => message.startsWith(publisher))
      expect(of('one')).toEqual(numbers.map((number) => `one ${number}`))
      expect(of('two')).toEqual(numbers.map((number) => `two ${number}`))
    })

    test('runs no handler inside publish', async () => {
      const received = await inbox(one, 's')
      one.publish('s', 'm')
      expect(received).toEqual([])
      await vi.waitFor(() => expect(received).toEqual(['m']), WAIT)
    })

    test('a handler that throws is logged and hurts no other', async () => {
      await one.subscribe('s', () => {
        throw new Error('a fault of the handler')
      })
      const received = await inbox(one, 's')
      two.publish('s', '1')
      two.publish('s', '2')
      await vi.waitFor(() => expect(received).toEqual(['1', '2']), WAIT)
      expect(logged.map(({ event }) => event)).toEqual(['bus.handler_failed', 'bus.handler_failed'])
    })

    test('unsubscribe stops that handler at once, and only that one', async () => {
      const stopped: string[] = []
      const handler = (message: string): void => {
        stopped.push(message)
      }
      const first = await one.subscribe('s', handler)
      const second = await one.subscribe('s', handler)
      const kept = await inbox(two, 's')
      two.publish('s', '1')
      await vi.waitFor(() => expect([...stopped, ...kept]).toEqual(['1', '1', '1']), WAIT)
      first.unsubscribe()
      first.unsubscribe()
      two.publish('s', '2')
      await vi.waitFor(
        () =>
          expect([stopped, kept]).toEqual([
            ['1', '1', '2'],
            ['1', '2'],
          ]),
        WAIT,
      )
      two.publish('s', '3')
      second.unsubscribe()
      await vi.waitFor(() => expect(kept).toEqual(['1', '2', '3']), WAIT)
      await quiet()
      expect(stopped).toEqual(['1', '1', '2'])
    })

    test('a subject can be subscribed again after its last handler left', async () => {
      const first = await one.subscribe('s', () => {})
      first.unsubscribe()
      const received = await inbox(one, 's')
      two.publish('s', 'again')
      await vi.waitFor(() => expect(received).toEqual(['again']), WAIT)
    })

    test('close sends what was published before it, is down afterwards, and may be called again', async () => {
      const received = await inbox(two, 's')
      expect(one.status()).toBe('up')
      one.publish('s', 'last words')
      await Promise.all([one.close(), one.close()])
      await one.close()
      one.publish('s', 'too late')
      expect(one.status()).toBe('down')
      await vi.waitFor(() => expect(received).toEqual(['last words']), WAIT)
      await quiet()
      expect(received).toEqual(['last words'])
      expect(logged).toEqual([])
    })

    test('a closed bus calls no handler', async () => {
      const received = await inbox(one, 's')
      const other = await inbox(two, 's')
      await one.close()
      two.publish('s', 'm')
      await vi.waitFor(() => expect(other).toEqual(['m']), WAIT)
      expect(received).toEqual([])
    })

    test('close leaves no open handle', async () => {
      await Promise.all([one.close(), two.close()])
      const third = await open(log)
      await third.subscribe('s', () => {})
      third.publish('s', 'm')
      await third.close()
      await expectNoHandles()
    })
  })
}

/** For drivers with a server behind them, of which `server` is one of our own. */
export const testBusOutage = (name: string, server: () => ThrowAwayServer, open: OpenNode): void => {
  describe(`the ${name} bus in an outage`, () => {
    const { log, logged } = recordingLog()

    test('is up again after it, with all its subscriptions, and never threw', async () => {
      const [one, two] = await Promise.all([open(log), open(log)])
      const received = await inbox(two, 's')
      await server().crash()
      // Before anybody noticed, and after: neither may throw.
      one.publish('s', 'dropped')
      await vi.waitFor(() => expect([one.status(), two.status()]).toEqual(['down', 'down']), WAIT)
      one.publish('s', 'dropped')
      const late = await inbox(two, 'late')
      const three = await open(log)
      expect(three.status()).toBe('down')
      await server().start()
      const all = [one, two, three]
      await vi.waitFor(() => expect(all.map((bus) => bus.status())).toEqual(['up', 'up', 'up']), WAIT)
      // The others may still be on their way to tell the server what they want to hear.
      await vi.waitFor(() => {
        one.publish('s', 'back')
        three.publish('late', 'back')
        expect(received).toContain('back')
        expect(late).toContain('back')
      }, WAIT)
      expect(received).not.toContain('dropped')
      await Promise.all(all.map((bus) => bus.close()))
      expect(new Set(logged.map(({ event }) => event))).toEqual(new Set(['bus.down', 'bus.connect_failed']))
    })

    test('closes during it at once, and leaves no open handle', async () => {
      const bus = await open(log)
      await server().crash()
      await vi.waitFor(() => expect(bus.status()).toBe('down'), WAIT)
      const other = await open(log)
      const before = performance.now()
      await Promise.all([bus.close(), other.close()])
      expect(performance.now() - before).toBeLessThan(1000)
      await expectNoHandles()
      await server().start()
    })
  })
}
