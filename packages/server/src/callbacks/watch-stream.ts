/**
 * What a bot says piece by piece is seen while it says it: that it types, and the text so far. The message itself comes when
 * all is said, on the way that every message takes; until then nothing of it is kept.
 */
import type { Callback, DeliveryId } from '@confab/protocol'
import type { Delivery } from '../delivery/attempt.ts'
import type { BotId } from '../kernel/actor.ts'
import { ignoring } from '../kernel/ignoring.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Cause, Live, Passing, Target } from '../live/live.ts'
import type { Store } from '../storage/store.ts'
import { userEntity } from '../users/user.ts'
import { placeOf, RESOURCE } from './replies.ts'

export interface StreamWatch {
  /** @param text everything so far, at first nothing */
  onText(text: string): void
  end(): void
}

/** Nothing for what is no message. */
export type WatchStream = (bot: BotId, delivery: Delivery) => StreamWatch | undefined

export interface WatchStreamDeps {
  readonly store: Pick<Store, 'users'>
  readonly live: Pick<Live, 'typing' | 'streaming'>
  readonly log: Logger
}

/** More often than this nobody reads. */
const EVERY_MS = 150
/** Clients believe in typing for a while only. */
const TYPING_AGAIN_MS = 4000

const targetOf = (delivery: Delivery): Target => {
  const { receiver = '', receiverType = 'user' } = placeOf(JSON.parse(delivery.body) as Callback)
  return { receiver, receiverType: receiverType === 'group' ? 'group' : 'user' }
}

/** A stream that has begun. */
class Shown {
  readonly #live: Pick<Live, 'typing' | 'streaming'>
  readonly #cause: Cause
  readonly #id: DeliveryId
  readonly #passing: Promise<Passing | undefined>
  readonly #typing: NodeJS.Timeout
  #timer: NodeJS.Timeout | undefined
  #text = ''

  constructor(deps: WatchStreamDeps, { appId, bot }: BotId, delivery: Delivery) {
    this.#live = deps.live
    this.#cause = { appId, deviceId: RESOURCE }
    this.#id = delivery.id
    const target = targetOf(delivery)
    const passing = deps.store.users
      .find({ appId, uid: bot })
      .then((user) => user && { from: bot, fromJson: JSON.stringify(userEntity(user)), target })
    this.#passing = passing
    ignoring(passing, 'the message comes all the same', deps.log)
    this.#type()
    this.#typing = setInterval(() => this.#type(), TYPING_AGAIN_MS)
  }

  say(text: string): void {
    this.#text = text
    if (text === '') return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#show(false)
    }, EVERY_MS)
  }

  end(): void {
    clearTimeout(this.#timer)
    clearInterval(this.#typing)
    if (this.#text !== '') this.#show(true)
    this.#then((passing) => this.#live.typing(this.#cause, passing, 'ended'))
  }

  #type(): void {
    this.#then((passing) => this.#live.typing(this.#cause, passing, 'started'))
  }

  #show(isDone: boolean): void {
    const stream = { id: this.#id, text: this.#text, isDone }
    this.#then((passing) => this.#live.streaming(this.#cause, passing, stream))
  }

  /** One after the other, once it is known who speaks. */
  #then(show: (passing: Passing) => void): void {
    this.#passing.then((passing) => passing && show(passing)).catch(() => {})
  }
}

export const makeWatchStream =
  (deps: WatchStreamDeps): WatchStream =>
  (bot, delivery) => {
    if (delivery.trigger !== 'after_message') return undefined
    let shown: Shown | undefined
    return {
      onText: (text) => {
        shown ??= new Shown(deps, bot, delivery)
        shown.say(text)
      },
      end: () => shown?.end(),
    }
  }
