/** What happened in a run, kept outside the server: what was sent, what arrived, what was done to whom. */
import type { Arrival, SentMessage } from '../../packages/server/src/testing/history.ts'
import { pause } from './wait.ts'

export interface Noted extends Arrival {
  /** What the bot did. */
  readonly answer: string
  readonly atMs: number
}

export class Chronicle {
  readonly sent: SentMessage[] = []
  readonly arrivals: Noted[] = []
  readonly problems: string[] = []
  /** How often each fault was injected. */
  readonly faults = new Map<string, number>()
  /**
   * Up by one whenever what is under way may have to be made again: with every death of the server, and at the
   * beginning and end of a disturbance.
   */
  life = 0
  readonly #tailMs: number
  #disturbances = 0

  /** @param tailMs how long a disturbance may be felt after its end */
  constructor(tailMs: number) {
    this.#tailMs = tailMs
  }

  get isDisturbed(): boolean {
    return this.#disturbances > 0
  }

  injected(fault: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
  }

  wrong(problem: string): void {
    if (!this.problems.includes(problem)) this.problems.push(problem)
  }

  /** While it lasts, and a little longer, the server may miss answers: it may ask again for what is under way. */
  async disturbed<T>(work: () => Promise<T>): Promise<T> {
    this.life += 1
    this.#disturbances += 1
    try {
      const result = await work()
      await pause(this.#tailMs)
      return result
    } finally {
      this.#disturbances -= 1
      this.life += 1
    }
  }
}
