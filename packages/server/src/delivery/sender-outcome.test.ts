import { describe, expect, it } from 'vitest'
import { AddressRefusedError, attributeLookups, DialError, NoNamesError, type Resolve } from './connector.ts'
import { judgeFailure, judgeStatus, parseRetryAfter, receiverNowMs } from './sender-outcome.ts'

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
    const date = new Date(now + 3_600_000).toUTCString()
    expect([date, [date], 'soon', undefined].map((one) => receiverNowMs(one, now) - now)).toEqual([3_600_000, 0, 0, 0])
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

const failure = (code: string): Error => Object.assign(new Error(`${code} to 10.0.0.1 with what was sent`), { code })
const dial = (phase: 'dns' | 'connect' | 'tls', ...codes: readonly string[]): Error => {
  const causes = codes.map(failure)
  const [first] = causes
  return new DialError(phase, causes.length === 1 && first ? first : new AggregateError(causes))
}

describe('whose fault it is that no connection came about', () => {
  it.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENETUNREACH'])(
    '%s is ours, also of every address that was tried',
    (code) => {
      for (const error of [dial('connect', code), dial('connect', code, code), dial('connect', code, 'ENETUNREACH')]) {
        const { outcome, error: words } = judgeFailure(error)
        expect(outcome).toEqual({ kind: 'ours', reason: 'connect' })
        expect(words).toMatch(/^connect failed: /)
        expect(words).not.toContain('what was sent')
      }
    },
  )

  it.each([
    [['ECONNREFUSED'], 'connect failed: connection refused'],
    [['EHOSTUNREACH'], 'connect failed: host unreachable'],
    [['ETIMEDOUT', 'ETIMEDOUT'], 'connect failed: connection timed out'],
    // No route for IPv6 here says nothing of the bot; that it refused over IPv4 does.
    [['ENETUNREACH', 'ECONNREFUSED'], 'connect failed: connection refused'],
    [['ECONNREFUSED', 'ENETUNREACH'], 'connect failed: connection refused'],
    [['ENETUNREACH', 'EMFILE', 'ETIMEDOUT', 'ENETUNREACH'], 'connect failed: connection timed out'],
    [['EWHATEVER'], 'connect failed: EWHATEVER'],
  ])('%j is the fault of the bot', (codes, words) => {
    const { outcome, error } = judgeFailure(dial('connect', ...codes))
    expect([outcome, error]).toEqual([{ kind: 'retry', reason: 'connect' }, words])
  })

  it('is the fault of the bot that its name is none, ours that no name can be looked up', () => {
    expect(judgeFailure(dial('dns', 'ENOTFOUND'))).toEqual({
      outcome: { kind: 'retry', reason: 'dns' },
      error: 'lookup failed: the host name does not exist',
    })
    expect(judgeFailure(dial('dns', 'EAI_AGAIN')).outcome).toEqual({ kind: 'retry', reason: 'dns' })
    expect(judgeFailure(new DialError('dns', new NoNamesError(failure('EAI_AGAIN'))))).toEqual({
      outcome: { kind: 'ours', reason: 'dns' },
      error: 'lookup failed: no name can be looked up',
    })
  })

  it('is that of the bot if its certificate is not in order, and nobody is called at an address that is refused', () => {
    expect(judgeFailure(dial('tls', 'CERT_HAS_EXPIRED'))).toEqual({
      outcome: { kind: 'retry', reason: 'tls' },
      error: 'TLS failed: the certificate has expired',
    })
    expect(judgeFailure(new AddressRefusedError('10.0.0.1', 'private network')).outcome).toEqual({ kind: 'refused' })
  })
})

describe('a name that cannot be looked up for now', () => {
  const MINUTE = 60_000

  /** Names that are in `broken` fail with that code. */
  const start = () => {
    let nowMs = 1_000_000
    const broken = new Map<string, string>()
    const resolve: Resolve = (hostname, callback) => {
      const code = broken.get(hostname)
      if (code === undefined) callback(null, [{ address: '192.0.2.1', family: 4 }])
      else callback(failure(code), [])
    }
    const lookUp = attributeLookups(resolve, () => nowMs)
    return {
      broken,
      wait: (ms: number): void => {
        nowMs += ms
      },
      /** Whose fault it is, if it is not fine. */
      ask: (hostname: string): string => {
        let told = 'nothing'
        lookUp(hostname, (error) => {
          told = error === null ? 'fine' : error instanceof NoNamesError ? 'ours' : 'theirs'
        })
        return told
      },
    }
  }

  it('is ours to answer for, as long as no other name was fine', () => {
    const { broken, ask } = start()
    broken.set('a.example', 'EAI_AGAIN')
    expect(ask('a.example')).toBe('ours')
    expect(ask('b.example')).toBe('fine')
    expect(ask('a.example')).toBe('theirs')
  })

  it('is not excused by having been fine itself', () => {
    const { broken, ask } = start()
    expect(ask('a.example')).toBe('fine')
    broken.set('a.example', 'EAI_AGAIN')
    expect(ask('a.example')).toBe('ours')
  })

  it('is theirs within a minute of another name that was fine, and ours after that', () => {
    const { broken, ask, wait } = start()
    broken.set('a.example', 'EAI_AGAIN')
    ask('b.example')
    wait(MINUTE - 1)
    expect(ask('a.example')).toBe('theirs')
    wait(1)
    expect(ask('a.example')).toBe('ours')
  })

  it('is told apart for the last one that was fine too, by the one before', () => {
    const { broken, ask } = start()
    for (const name of ['a.example', 'b.example', 'c.example', 'c.example']) ask(name)
    broken.set('c.example', 'EAI_AGAIN')
    expect(ask('c.example')).toBe('theirs')
    broken.set('b.example', 'EAI_AGAIN')
    expect(ask('b.example')).toBe('theirs')
  })

  it('is everyone’s when all fail: ours', () => {
    const { broken, ask, wait } = start()
    for (const name of ['a.example', 'b.example']) {
      ask(name)
      broken.set(name, 'EAI_AGAIN')
    }
    wait(MINUTE)
    expect(['a.example', 'b.example'].map(ask)).toEqual(['ours', 'ours'])
  })

  it('is theirs where the answer is that there is no such name', () => {
    const { broken, ask } = start()
    broken.set('a.example', 'ENOTFOUND')
    expect(ask('a.example')).toBe('theirs')
  })
})
