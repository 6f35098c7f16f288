import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Look } from './look.ts'

const LONGEST_MS = 1000

/** A look whose looks are written down, with when they began, to 10 ms; each takes `lasts` and answers `again`. */
const start = ({ lasts = 0, again = LONGEST_MS }: { lasts?: number; again?: number } = {}) => {
  const begun = performance.now()
  const looks: number[] = []
  const failures: unknown[] = []
  let underWay = 0
  const state = { lasts, again, error: undefined as Error | undefined, most: 0 }
  const look = new Look({
    look: async () => {
      looks.push(Math.round((performance.now() - begun) / 10) * 10)
      underWay++
      state.most = Math.max(state.most, underWay)
      await new Promise((resolve) => setTimeout(resolve, state.lasts))
      underWay--
      if (state.error !== undefined) throw state.error
      return state.again
    },
    longestMs: LONGEST_MS,
    track: (work) => void work.catch((error: unknown) => failures.push(error)),
  })
  return { look, looks, failures, state }
}

describe('when to look next', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  it('is never, until it is asked for', async () => {
    const { looks } = start()
    await pass(5000)
    expect(looks).toEqual([])
  })

  it('is the soonest of all wishes', async () => {
    const { look, looks } = start()
    for (const ms of [500, 100, 300]) look.within(ms)
    await pass(600)
    expect(looks).toEqual([100])
  })

  it('is at once for what is overdue', async () => {
    const { look, looks } = start()
    look.within(-5000)
    await pass(1)
    expect(looks).toHaveLength(1)
  })

  it('is after the longest wait at the latest, and so on', async () => {
    const { look, looks } = start({ again: 3_600_000 })
    look.within(Number.MAX_SAFE_INTEGER)
    await pass(3500)
    expect(looks).toEqual([1000, 2000, 3000])
  })

  it('is when the last look said, or sooner if somebody asks', async () => {
    const { look, looks } = start({ again: 400 })
    look.within(0)
    await pass(500)
    expect(looks).toEqual([0, 400])
    look.within(50)
    await pass(60)
    expect(looks).toEqual([0, 400, 550])
  })

  it('is right after the look under way, once, however often that is asked for', async () => {
    const { look, looks, state } = start({ lasts: 100 })
    look.within(0)
    await pass(20)
    for (let n = 0; n < 5; n++) {
      look.within(0)
      await pass(5)
    }
    await pass(500)
    expect(looks).toEqual([0, 100])
    expect(state.most).toBe(1)
  })

  it('is when it was asked for, if that is after the look under way', async () => {
    const { look, looks } = start({ lasts: 100 })
    look.within(0)
    await pass(20)
    look.within(180)
    await pass(500)
    expect(looks).toEqual([0, 200])
  })

  it('is after the longest wait, if a look fails', async () => {
    const { look, looks, failures, state } = start({ again: 10 })
    state.error = new Error('no store')
    look.within(0)
    await pass(LONGEST_MS + 10)
    expect(failures).toEqual([state.error, state.error])
    state.error = undefined
    await pass(LONGEST_MS + 10)
    expect(looks.slice(0, 3)).toEqual([0, 1000, 2000])
    expect(failures).toHaveLength(2)
  })

  it('is never again, once it is stopped, also in the middle of a look', async () => {
    const { look, looks } = start({ lasts: 100, again: 0 })
    look.within(0)
    await pass(50)
    look.within(0)
    look.stop()
    look.within(0)
    await pass(5000)
    expect(looks).toEqual([0])
  })
})
