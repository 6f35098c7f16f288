/**
 * What nodes tell each other about deliveries over the bus, and what this node tells itself without it. Hints only: whoever
 * hears none finds out by asking the store.
 *
 * The accept path and the dispatcher each need the other; they are made with this between them.
 */
import type { Bus } from '../bus/bus.ts'
import type { BotId } from '../kernel/actor.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Handover } from './handover.ts'

/** A lane is due and nobody works it. For those who deliver. */
const LANES_WAITING = 'lanes.waiting'
/** A bot is said to be well again. For those who deliver. */
const BOT_RESUMED = 'bots.resumed'
/** A bot that was left alone was found to be well. For those who deliver. */
const BOT_PASSED = 'bots.passed'
/** A bot is set otherwise. For those who deliver. */
const BOT_CHANGED = 'bots.changed'
/** A bot has something new to fetch. For those whom bots ask. */
const UPDATES_WAITING = 'updates.waiting'

export class Hints {
  readonly #bus: Bus
  /** Of this node, as what it says of bots: it has told itself already. */
  readonly #node: string
  #dispatcher: Dispatcher | undefined

  constructor(bus: Bus, ids: Pick<Ids, 'node'>) {
    this.#bus = bus
    this.#node = ids.node()
  }

  /** A node that delivers takes idle lanes over at once; what it has no room for, and all of one that does not, is told to the others. */
  readonly handover: Handover = {
    claimer: () => this.#dispatcher?.claimer(),
    accept: (claims, waiting) => {
      this.#dispatcher?.accept(claims, waiting)
      if (waiting > 0) this.#bus.publish(LANES_WAITING, '')
    },
  }

  readonly lookForWork = (): void => {
    this.#dispatcher?.poke()
    this.#bus.publish(LANES_WAITING, '')
  }

  readonly hasUpdate = (bot: BotId): void => {
    this.#bus.publish(UPDATES_WAITING, JSON.stringify(bot))
  }

  readonly isWell = (bot: BotId): void => {
    this.#dispatcher?.resume(bot)
    this.#tellOthers(BOT_RESUMED, bot)
  }

  readonly hasPassed = (bot: BotId): void => this.#tellOthers(BOT_PASSED, bot)

  readonly hasChanged = (bot: BotId): void => {
    this.#dispatcher?.changed(bot)
    this.#tellOthers(BOT_CHANGED, bot)
  }

  async reachDispatcher(dispatcher: Dispatcher): Promise<void> {
    this.#dispatcher = dispatcher
    await this.#bus.subscribe(LANES_WAITING, () => dispatcher.poke())
    await this.#hear(BOT_RESUMED, (bot) => dispatcher.resume(bot))
    await this.#hear(BOT_PASSED, (bot) => dispatcher.passed(bot))
    await this.#hear(BOT_CHANGED, (bot) => dispatcher.changed(bot))
  }

  async reachFetchers(wake: (bot: BotId) => void): Promise<void> {
    await this.#bus.subscribe(UPDATES_WAITING, (bot) => wake(JSON.parse(bot) as BotId))
  }

  #tellOthers(subject: string, bot: BotId): void {
    this.#bus.publish(subject, JSON.stringify({ ...bot, from: this.#node }))
  }

  async #hear(subject: string, act: (bot: BotId) => void): Promise<void> {
    await this.#bus.subscribe(subject, (message) => {
      const { from, ...bot } = JSON.parse(message) as BotId & { from: string }
      if (from !== this.#node) act(bot)
    })
  }
}
