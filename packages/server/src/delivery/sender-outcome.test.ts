import { describe, expect, it } from 'vitest'
import { judgeStatus, parseRetryAfter } from './sender-outcome.ts'

const now = Date.parse('2026-03-01T12:00:00Z')

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7000],
    ['3600', 3_600_000],
    ['3601', 3_600_000],
    ['99999999999999999999999', 3_600_000],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
    ['Sunday, 01-Mar-26 12:00:30 GMT', 30_000],
    ['Sun Mar  1 12:00:30 2026', 30_000],
    ['Wed, 01 Mar 2028 12:00:30 GMT', 3_600_000],
    ['Sun, 01 Mar 2026 11:59:59 GMT', undefined],
    ['Sun, 99 Mar 2026 12:00:30 GMT', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['in 5', undefined],
    ['2026-03-01T12:00:30Z', undefined],
    ['', undefined],
  ])('%j → %s', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected)
  })

  it('takes the first of several', () => {
    expect(parseRetryAfter(['3', '9'], now)).toBe(3000)
    expect(parseRetryAfter(undefined, now)).toBeUndefined()
  })
})

describe('status', () => {
  it.each([
    [200, 'delivered'],
    [201, 'delivered'],
    [204, 'delivered'],
    [299, 'delivered'],
    [301, 'redirect'],
    [304, 'redirect'],
    [307, 'redirect'],
    [308, 'redirect'],
    [400, 'http'],
    [401, 'http'],
    [403, 'http'],
    [404, 'http'],
    [408, 'http'],
    [410, 'gone'],
    [413, 'http'],
    [429, 'http'],
    [500, 'http'],
    [502, 'http'],
    [503, 'http'],
    [504, 'http'],
    [599, 'http'],
  ])('%d → %s', (status, expected) => {
    const { outcome, error } = judgeStatus(status, '5', now)
    expect(outcome.kind === 'retry' ? outcome.reason : outcome.kind).toBe(expected)
    expect(outcome.kind === 'retry' && outcome.retryAfterMs).toBe(
      expected === 'http' ? 5000 : outcome.kind === 'retry' ? undefined : false,
    )
    expect(error === undefined).toBe(expected === 'delivered')
  })
})
