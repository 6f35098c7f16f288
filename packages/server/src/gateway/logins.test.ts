import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeHeldClock } from '../testing/builders.ts'
import { Logins } from './logins.ts'

const clock = makeHeldClock()
let logins: Logins

/** Timers and clock go together. */
const pass = async (ms: number): Promise<void> => {
  clock.advance(ms)
  await vi.advanceTimersByTimeAsync(ms)
}

const asks = (address = 'a') => {
  const socket = { isOpen: false }
  void logins.mayOpen(address).then(() => {
    socket.isOpen = true
  })
  return socket
}

beforeEach(() => {
  vi.useFakeTimers()
  logins = new Logins(clock)
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a socket', () => {
  test('that nobody announces opens after a moment', async () => {
    const socket = asks()
    await pass(200)
    expect(socket.isOpen).toBe(false)
    await pass(100)
    expect(socket.isOpen).toBe(true)
  })

  test('of somebody who has just logged in opens at once', async () => {
    logins.begun('a')
    logins.answered('a')
    await pass(300)
    const socket = asks()
    await pass(0)
    expect(socket.isOpen).toBe(true)
  })

  test('that comes just behind an answer waits until that has been read', async () => {
    logins.begun('a')
    logins.answered('a')
    await pass(50)
    const socket = asks()
    await pass(100)
    expect(socket.isOpen).toBe(false)
    await pass(100)
    expect(socket.isOpen).toBe(true)
  })

  test('is one for each login: the next one waits, for it may be a page that is loaded again', async () => {
    logins.begun('a')
    logins.answered('a')
    const [first, second] = [asks(), asks()]
    await pass(220)
    expect([first.isOpen, second.isOpen]).toEqual([true, false])
    logins.begun('a')
    logins.answered('a')
    await pass(210)
    expect(second.isOpen).toBe(true)
    // The answer that it has waited for is used up by that.
    const third = asks()
    await pass(220)
    expect(third.isOpen).toBe(false)
  })

  test('opens at once for a login of a moment ago, and not for an older one', async () => {
    logins.begun('a')
    logins.answered('a')
    await pass(6000)
    const socket = asks()
    await pass(0)
    expect(socket.isOpen).toBe(false)
  })

  test('opens after the answer to a request that began before it, and not before', async () => {
    logins.begun('a')
    const socket = asks()
    await pass(1000)
    expect(socket.isOpen).toBe(false)
    logins.answered('a')
    await pass(150)
    expect(socket.isOpen).toBe(false)
    await pass(60)
    expect(socket.isOpen).toBe(true)
  })

  test('opens after the answer to a request that begins soon after it', async () => {
    const socket = asks()
    await pass(100)
    logins.begun('a')
    await pass(1000)
    expect(socket.isOpen).toBe(false)
    logins.answered('a')
    await pass(210)
    expect(socket.isOpen).toBe(true)
  })

  test('waits for a request that a preflight has announced, for a time', async () => {
    logins.announced('a')
    const [socket, other] = [asks(), asks('b')]
    await pass(1500)
    expect([socket.isOpen, other.isOpen]).toEqual([false, true])
    await pass(600)
    expect(socket.isOpen).toBe(true)
  })

  test('waits for the answer to an announced request', async () => {
    logins.announced('a')
    const socket = asks()
    await pass(1000)
    logins.begun('a')
    await pass(1900)
    expect(socket.isOpen).toBe(false)
    logins.answered('a')
    await pass(210)
    expect(socket.isOpen).toBe(true)
  })

  test('never waits longer than seconds', async () => {
    logins.begun('a')
    const socket = asks()
    await pass(4900)
    expect(socket.isOpen).toBe(false)
    await pass(200)
    expect(socket.isOpen).toBe(true)
  })

  test('waits for what is under way, also from an address that was answered a moment ago', async () => {
    logins.begun('a')
    logins.answered('a')
    logins.begun('a')
    const socket = asks()
    await pass(500)
    expect(socket.isOpen).toBe(false)
    logins.answered('a')
    await pass(210)
    expect(socket.isOpen).toBe(true)
  })
})
