import { expect, test } from 'vitest'
import { makeHeldClock } from '../testing/builders.ts'
import { makeLaneClaim } from '../testing/lane-claim.ts'
import type { Attempt, AttemptOutcome, LaneClaim } from './attempt.ts'
import { BotHealth, type HealthDeps } from './health.ts'

type Told = [status: number | undefined, outcome?: AttemptOutcome]
const failed: AttemptOutcome = { kind: 'retry', reason: 'http' }

const makeRig = (breakers: Partial<HealthDeps['store']['breakers']> = {}) => {
  const clock = makeHeldClock()
  const log: string[] = []
  const at = (level: string) => (_: object, event: string) => void log.push(`${level} ${event}`)
  const health = new BotHealth({
    store: {
      breakers: {
        open: async () => true,
        close: async () => {},
        slowDown: async () => {},
        keepProbe: async () => {},
        ...breakers,
      },
    },
    clock,
    random: () => 0.5,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    metrics: { breakerOpened: () => {} },
  })
  const attemptOf = ([status, outcome = failed]: Told): Attempt => ({
    number: 1,
    startedAtMs: clock.now(),
    outcome,
    status,
    error: undefined,
    address: undefined,
    phases: { total: 1 },
    response: undefined,
  })
  return { health, clock, log, note: (claim: LaneClaim, ...told: Told) => health.note(claim, attemptOf(told)) }
}

const claim = makeLaneClaim('bot', 1)
const slowed: LaneClaim = { ...claim, probe: { failedBefore: 0, isSlowed: true } }
const delivered: AttemptOutcome = { kind: 'delivered' }

test.each([
  ['a failure', 500, failed],
  ['no answer', undefined, { kind: 'retry', reason: 'timeout' }],
  ['410', 410, { kind: 'gone' }],
  ['an address that is not allowed', undefined, { kind: 'refused' }],
] as const)('after a pause that is in the store %s leaves the bot slowed down', async (_, status, outcome) => {
  const { note, clock } = makeRig()
  expect(await note(slowed, status, outcome)).toEqual({ probe: { kind: 'stays-slowed', untilMs: clock.now() } })
  expect(await note(slowed, 200, delivered)).toEqual({ probe: { kind: 'passed' } })
})

test('after a pause that is in the store the bot may ask for another one, and our own fault is waited for', async () => {
  const { note, clock } = makeRig()
  const asked: AttemptOutcome = { kind: 'retry', reason: 'http', retryAfterMs: 9000 }
  expect(await note(slowed, 429, asked)).toEqual({
    pauseMs: 9000,
    probe: { kind: 'stays-slowed', untilMs: clock.now() + 9000 },
  })
  const other = { ...makeLaneClaim('other', 1), probe: slowed.probe } as LaneClaim
  const { pauseMs = 0, probe } = await note(other, undefined, { kind: 'ours', reason: 'dns' })
  expect(pauseMs).toBeGreaterThan(0)
  expect(probe).toEqual({ kind: 'stays-slowed', untilMs: clock.now() + pauseMs })
})

test('a breaker that was turned off since it opened closes, whatever the probe came to', async () => {
  const { note } = makeRig()
  const breaker = { ...claim.callback.breaker, openMs: 0 }
  const probe: LaneClaim = { ...claim, callback: { ...claim.callback, breaker }, probe: { failedBefore: 3 } }
  expect(await note(probe, 500)).toEqual({ probe: { kind: 'passed' } })
})

test('what the store does not take is known here all the same', async () => {
  const away = () => Promise.reject(new Error('the store is away'))
  const { note, health, log } = makeRig({ slowDown: away, open: away })
  const asked: AttemptOutcome = { kind: 'retry', reason: 'http', retryAfterMs: 9000 }
  expect(await note(claim, 429, asked)).toEqual({ pauseMs: 9000 })
  expect(health.paused()).toEqual(['app/bot'])
  const failing = makeLaneClaim('failing', 2)
  const { minAttempts, openMs } = failing.callback.breaker
  for (let n = 1; n < minAttempts; n++) await note(failing, 500)
  expect(await note(failing, 500)).toEqual({ pauseMs: openMs })
  expect(health.isPaused('app/failing')).toBe(true)
  expect(log.filter((line) => line.startsWith('error'))).toEqual(['error bot.note_failed', 'error bot.note_failed'])
})
