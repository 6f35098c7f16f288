/** The bots' side: receivers that note what comes, check it, and misbehave as they are told. */
import { createHmac } from 'node:crypto'
import { type Callback, callbackHeaders } from '../../packages/protocol/src/index.ts'
import {
  type Behaviour,
  type CallbackReceiver,
  type ReceivedCallback,
  startCallbackReceiver,
} from '../../packages/server/src/testing/callback-receiver.ts'
import type { Arrival } from '../../packages/server/src/testing/history.ts'
import type { Chronicle, Noted } from './chronicle.ts'
import { byTheWay, fine, type Misbehaviour, slow, TIMEOUT_MS } from './misbehaviours.ts'
import { type Random, shuffled, streamOf } from './random.ts'

/** Of callbacks, as by-the-way misbehaviour, and how many of a kind in a run where they cost time. */
const SHARE = { none: 0.06, timeout: 0.004, pause: 0.004 } as const
const MOST = { none: 1000, timeout: 2, pause: 1 } as const
const SLOW_SHARE = 0.1
const KINDS_PER_RUN = 3
/** Timers of the same process fire within this of each other. */
const SLACK_MS = 10
/** An attempt begins earlier for the server than for its receiver, which may be told late. */
const SURELY_BUSY_MS = TIMEOUT_MS / 2
/** How long after its end a connection may still be taken for a good one. */
const SPOILT_MS = 250

export interface Met {
  readonly bot: string
  readonly callback: ReceivedCallback
  readonly message: Callback['data']
  readonly arrival: Arrival
}

const signed = (secret: string, { headers, body }: ReceivedCallback): string => {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const content = `${headers[callbackHeaders.id]}.${headers['webhook-timestamp']}.${body}`
  return `v1,${createHmac('sha256', key).update(content, 'utf8').digest('base64')}`
}

export class Bots {
  /** The secrets that may sign, of each bot. */
  readonly secrets = new Map<string, string[]>()
  /** What was signed with none of them while there may be one that nobody knows yet. */
  readonly #rotating = new Map<string, (() => void)[]>()
  readonly receivers = new Map<string, CallbackReceiver>()
  /** What the scenario wants done with a callback, if anything. */
  choose: ((bot: string, callback: ReceivedCallback) => Misbehaviour | undefined) | undefined
  /** Before the answer, and right after it. */
  onArrival: ((met: Met) => void) | undefined
  onAnswered: ((met: Met) => void) | undefined
  /** Whose deliveries somebody asked to be made again. */
  readonly replayed = new Set<string>()
  isHealed = false
  readonly #chronicle: Chronicle
  readonly #host: string
  readonly #random: Random
  readonly #kinds: readonly Misbehaviour[]
  readonly #times = new Map<Misbehaviour, number>()
  readonly #bodies = new Map<string, string>()
  readonly #spoiltUntil = new Map<string, number>()
  readonly #busyUntil = new Map<string, { atMs: number; life: number }>()

  constructor(parts: { chronicle: Chronicle; host: string; seed: number }) {
    this.#chronicle = parts.chronicle
    this.#host = parts.host
    this.#random = streamOf(parts.seed, 'receivers')
    this.#kinds = shuffled(this.#random, byTheWay).slice(0, KINDS_PER_RUN)
  }

  /** @param rotate answers the new secret; callbacks that it signs may come before that answer */
  async learnSecret(bot: string, rotate: () => Promise<string>): Promise<string> {
    const unchecked: (() => void)[] = []
    this.#rotating.set(bot, unchecked)
    const secret = await rotate()
    this.secrets.get(bot)?.push(secret)
    this.#rotating.delete(bot)
    for (const check of unchecked) check()
    return secret
  }

  async open(bot: string, port?: number): Promise<CallbackReceiver> {
    const receiver = await startCallbackReceiver({
      host: this.#host,
      ...(port !== undefined && { port }),
      behave: (callback) => this.#meet(bot, callback),
    })
    this.receivers.set(bot, receiver)
    return receiver
  }

  urlOf(bot: string): string {
    return this.receivers.get(bot)?.url ?? ''
  }

  async close(): Promise<void> {
    await Promise.all([...this.receivers.values()].map((receiver) => receiver.close()))
  }

  #meet(bot: string, callback: ReceivedCallback): Behaviour {
    const choice = this.isHealed ? fine : (this.choose?.(bot, callback) ?? this.#byTheWay())
    if (choice.fault !== '') this.#chronicle.injected(`${choice.fault} receiver ${choice.name}`)
    const behaviour = choice.behave(this.#random)
    const message = (callback.json as Callback).data
    const arrival = this.#arrival(bot, callback, choice)
    this.#chronicle.arrivals.push(arrival)
    this.#check(arrival, callback, behaviour)
    const met = { bot, callback, message, arrival }
    this.onArrival?.(met)
    if (this.onAnswered !== undefined) {
      setTimeout(() => this.onAnswered?.(met), 'delayMs' in behaviour ? behaviour.delayMs : 0)
    }
    return behaviour
  }

  #arrival(bot: string, { json, headers }: ReceivedCallback, choice: Misbehaviour): Noted {
    const { data } = json as Callback
    const { means, name, spoilsConnection = false } = choice
    const now = performance.now()
    const isSpoilt = now < (this.#spoiltUntil.get(bot) ?? 0)
    if (spoilsConnection) this.#spoiltUntil.set(bot, now + SPOILT_MS)
    const deliveryId = String(headers[callbackHeaders.id])
    return {
      bot,
      deliveryId,
      conversationId: data.conversationId,
      muid: String(data.muid),
      messageId: data.id,
      sequence: Number(headers[callbackHeaders.sequence]),
      previousSequence: Number(headers[callbackHeaders.previousSequence]),
      life: this.#chronicle.life,
      ok: means === 'delivered',
      unheard: isSpoilt || this.#chronicle.isDisturbed,
      gone: means === 'gone',
      replayed: this.replayed.has(deliveryId) || this.replayed.has(bot),
      answer: name,
      atMs: Math.round(now),
    }
  }

  /** What must hold of every callback by itself, and of two in one lane. */
  #check(
    { bot, conversationId, deliveryId, muid, unheard = false }: Arrival,
    callback: ReceivedCallback,
    behaviour: Behaviour,
  ): void {
    this.#checkSignature(bot, muid, callback)
    const before = this.#bodies.get(deliveryId) ?? callback.body
    this.#bodies.set(deliveryId, before)
    if (before !== callback.body) this.#chronicle.wrong(`${bot} ${muid}: other bytes under the same id`)
    const lane = `${bot} ${conversationId}`
    const { life, isDisturbed } = this.#chronicle
    const busy = this.#busyUntil.get(lane)
    const now = performance.now()
    if (busy !== undefined && busy.life === life && !isDisturbed && now < busy.atMs - SLACK_MS) {
      this.#chronicle.wrong(`${lane}: ${muid} came while another was under way`)
    }
    const delayMs = 'delayMs' in behaviour ? (behaviour.delayMs ?? 0) : 0
    // Who cannot be heard is not waited for.
    this.#busyUntil.set(lane, { atMs: unheard ? now : now + Math.min(delayMs, SURELY_BUSY_MS), life })
  }

  #checkSignature(bot: string, muid: string, callback: ReceivedCallback): void {
    const signatures = String(callback.headers['webhook-signature']).split(' ')
    if ((this.secrets.get(bot) ?? []).some((secret) => signatures.includes(signed(secret, callback)))) return
    const again = this.#rotating.get(bot)
    if (again === undefined) this.#chronicle.wrong(`${bot} ${muid}: the signature is wrong`)
    else again.push(() => this.#checkSignature(bot, muid, callback))
  }

  #byTheWay(): Misbehaviour {
    let dice = this.#random()
    for (const kind of this.#kinds) {
      const times = this.#times.get(kind) ?? 0
      dice -= SHARE[kind.cost]
      if (dice >= 0 || times >= MOST[kind.cost]) {
        if (dice < 0) return fine
        continue
      }
      this.#times.set(kind, times + 1)
      return kind
    }
    return dice < SLOW_SHARE ? slow : fine
  }
}
