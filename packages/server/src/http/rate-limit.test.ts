import type { AppId, Uid } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { Caller } from '../apps/authenticate.ts'
import { makeHeldClock } from '../testing/builders.ts'
import { makeTakeAllowance } from './rate-limit.ts'

const appOf = (id: string) => ({ id: id as AppId, name: id, createdAt: 1 })
const key = (app = 'a'): Caller => ({ kind: 'key', app: appOf(app), apiKey: 'k', keyName: 'K', scope: 'fullAccess' })
const user = (authToken: string, app = 'a'): Caller => ({ kind: 'user', app: appOf(app), authToken, uid: 'u' as Uid })
const standard = { isCore: false }
const core = { isCore: true }
/** 20 seconds into a minute. */
const START = 1_700_000_000_000

const makeTake = (app: number, appCore: number, token: number, clock = makeHeldClock(START)) =>
  makeTakeAllowance({ rateLimitApp: app, rateLimitAppCore: appCore, rateLimitToken: token }, clock)

test('what is not limited has no allowance', () => {
  const take = makeTake(0, 0, 0)
  expect([take(key(), standard), take(key(), core), take(user('t'), standard)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect(makeTake(0, 0, 5)(key(), core)).toBeUndefined()
  expect(makeTake(5, 0, 0)(key(), core)).toBeUndefined()
})

test('so many in a minute of the clock, each class and each app by itself, then again', () => {
  const clock = makeHeldClock(START)
  const take = makeTake(2, 1, 0, clock)
  const remaining = (caller: Caller, route = standard) => {
    const allowance = take(caller, route)
    return allowance?.isSpent ? 'spent' : allowance?.remaining
  }
  expect([remaining(key()), remaining(key()), remaining(key()), remaining(key())]).toEqual([1, 0, 'spent', 'spent'])
  expect([remaining(key(), core), remaining(key(), core)]).toEqual([0, 'spent'])
  expect(remaining(key('b'))).toBe(1)
  expect(take(key(), standard)).toEqual({
    ...{ isSpent: true, limit: 2, remaining: 0 },
    ...{ resetAt: START / 1000 + 40, after: 40 },
  })
  clock.advance(39_999)
  expect(take(key(), standard)).toMatchObject({ isSpent: true, after: 1 })
  clock.advance(1)
  expect(remaining(key())).toBe(1)
})

test('a token has its own, and counts for its app too; the nearer limit decides, and what is refused is not counted', () => {
  const take = makeTake(4, 0, 2)
  const of = (caller: Caller) => {
    const { isSpent, limit, remaining } = take(caller, standard) ?? {}
    return [isSpent, limit, remaining]
  }
  expect(of(user('one'))).toEqual([false, 2, 1])
  expect(of(user('one'))).toEqual([false, 2, 0])
  expect(of(user('one'))).toEqual([true, 2, 0])
  expect(of(user('two'))).toEqual([false, 4, 1])
  expect(of(key())).toEqual([false, 4, 0])
  expect(of(user('two'))).toEqual([true, 4, 0])
})

test('of more tokens than are counted at once, those that came first begin anew', () => {
  const take = makeTake(0, 0, 1)
  const isSpent = (n: number) => take(user(`t${n}`), standard)?.isSpent
  for (let n = 0; n < 100_000; n++) isSpent(n)
  expect([isSpent(0), isSpent(99_999)]).toEqual([true, true])
  expect(isSpent(100_000)).toBe(false)
  expect([isSpent(99_999), isSpent(0)]).toEqual([true, false])
})
