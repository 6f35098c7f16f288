/** What the server under test is told from outside, by a file: the harness writes it, `preload.ts` reads it. */
import { renameSync, writeFileSync } from 'node:fs'

export interface KillPoint {
  /** Another one begins to count anew. */
  readonly id: number
  readonly at: 'commit' | 'messages insert' | 'deliveries insert' | 'attempts insert' | 'lanes change'
  /** `during`: sent, and not yet answered; where an answer comes at once, the same as `after`. */
  readonly when: 'before' | 'during' | 'after'
  /** From 1. */
  readonly nth: number
}

export interface Plan {
  /** What the clock is off by. */
  readonly clockOffsetMs: number
  readonly kill: KillPoint | undefined
}

export class PlanFile {
  readonly path: string
  #plan: Plan = { clockOffsetMs: 0, kill: undefined }
  #kills = 0

  constructor(path: string) {
    this.path = path
    this.#write()
  }

  get clockOffsetMs(): number {
    return this.#plan.clockOffsetMs
  }

  setClock(clockOffsetMs: number): void {
    this.#plan = { ...this.#plan, clockOffsetMs }
    this.#write()
  }

  killAt(kill: Omit<KillPoint, 'id'> | undefined): void {
    this.#kills += 1
    this.#plan = { ...this.#plan, kill: kill && { ...kill, id: this.#kills } }
    this.#write()
  }

  /** Never half of it. */
  #write(): void {
    writeFileSync(`${this.path}.new`, JSON.stringify(this.#plan))
    renameSync(`${this.path}.new`, this.path)
  }
}
