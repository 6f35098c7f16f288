/**
 * Who is online, as far as this node knows: it says so in the store while it holds a session of theirs, and tells those who
 * want to hear of it.
 *
 * A node that stops leaves its users as they are, for as long as they need to come back to another one; whoever has not by
 * then is found by the sweep, as the users of a node that has died are.
 */
import type { AppId, Uid } from '@confab/protocol'
import { type Teller, userKey } from '../callbacks/tell.ts'
import type { Client } from '../kernel/client.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { SERVER_DEVICE } from '../live/frames.ts'
import type { Live } from '../live/live.ts'
import type { PresenceChange } from '../storage/sql/users/presence.ts'
import type { Store } from '../storage/store.ts'
import type { Here, Person } from './here.ts'

/** What callbacks say of where it comes from. */
const gateway: Client = {
  resource: SERVER_DEVICE,
  origin: { platform: 'WEBSOCKET', language: 'javascript', resource: SERVER_DEVICE },
  hop: 0,
}

export interface PresenceDeps {
  readonly store: Pick<Store, 'presence'>
  readonly live: Pick<Live, 'cameOrWent'>
  readonly teller: Teller
  readonly clock: Clock
  readonly log: Logger
  readonly node: string
  /** Of apps with more users online nobody hears who comes and goes. */
  readonly maxUsers: number
}

const RENEW_EVERY_MS = 5000
const BELIEVED_MS = 20_000
/** How long a user may be away, as on a reload, without being gone. */
const AWAY_MS = 2000
/** How long users of a node that stops have to come back to another one. */
const MOVE_MS = 15_000
const SWEEP_STEP = 100
const COUNT_MS = 1000

const keyOf = ({ appId, uid }: Person): string => `${appId} ${uid}`

export class Presence {
  readonly #deps: PresenceDeps
  readonly #here: Here
  readonly #leaving = new Map<Person, NodeJS.Timeout>()
  /** Those whose last session has ended, until that is written. */
  readonly #departing = new Map<string, Promise<void>>()
  /** Of whom that could not be written: it is tried again. */
  readonly #unwritten = new Map<string, Person>()
  readonly #crowds = new Map<AppId, { readonly users: Promise<number>; readonly untilMs: number }>()
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(deps: PresenceDeps, here: Here) {
    this.#deps = deps
    this.#here = here
  }

  async start(): Promise<void> {
    await this.#renew(true)
    this.#timer = setInterval(() => {
      this.#working = this.#working.then(() => this.#beat())
    }, RENEW_EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#isStopped = true
    for (const timer of this.#leaving.values()) clearTimeout(timer)
    this.#leaving.clear()
    await this.#working
    const { store, clock, node } = this.#deps
    await store.presence.renew({ node, untilMs: clock.now() + MOVE_MS, isNew: true })
  }

  /** A session of the user has been opened. */
  async came(person: Person): Promise<void> {
    const timer = this.#leaving.get(person)
    clearTimeout(timer)
    if (this.#leaving.delete(person)) return
    // Whoever is just being signed off is signed on after that.
    await this.#departing.get(keyOf(person))
    this.#unwritten.delete(keyOf(person))
    await this.#tell(await this.#deps.store.presence.enter(this.#of(person)), true)
  }

  /** The last session of the user has ended. */
  went(person: Person): void {
    if (this.#isStopped) return
    const timer = setTimeout(() => {
      this.#leaving.delete(person)
      if (person.ears.size > 0) return
      this.#here.forget(person)
      this.#depart(person)
    }, AWAY_MS)
    this.#leaving.set(person, timer)
  }

  #depart(person: Person): void {
    const key = keyOf(person)
    const left = this.#leave(person).catch((error: unknown) => {
      this.#unwritten.set(key, person)
      this.#deps.log.warn({ err: error, consequence: 'somebody looks online for now' }, 'gateway.presence_failed')
    })
    this.#departing.set(key, left)
    void left.then(() => {
      if (this.#departing.get(key) === left) this.#departing.delete(key)
    })
  }

  #of({ appId, uid }: { appId: AppId; uid: Uid }, node = this.#deps.node) {
    return { appId, uid, node, telling: this.#deps.teller.telling(gateway) }
  }

  async #leave(who: { appId: AppId; uid: Uid }, node?: string): Promise<void> {
    await this.#tell(await this.#deps.store.presence.leave(this.#of(who, node)), false)
  }

  async #tell({ appId, user, told }: PresenceChange, isOnline: boolean): Promise<void> {
    if (user === undefined) return
    const { live, teller, clock, maxUsers } = this.#deps
    teller.told(told, { appId, conversationId: userKey(user.uid as Uid), sender: user.uid })
    if ((await this.#crowdOf(appId)) <= maxUsers) live.cameOrWent(appId, user, isOnline, toSeconds(clock.now()))
  }

  /** How many are online, as it was a moment ago. */
  #crowdOf(appId: AppId): Promise<number> {
    const { store, clock } = this.#deps
    const known = this.#crowds.get(appId)
    if (known !== undefined && known.untilMs > clock.now()) return known.users
    const users = store.presence.count({ appId, guids: [] }).then((count) => count.users)
    this.#crowds.set(appId, { users, untilMs: clock.now() + COUNT_MS })
    return users
  }

  /** Answers whether others still believed this node. */
  #renew(isNew: boolean): Promise<boolean> {
    const { store, clock, node } = this.#deps
    return store.presence.renew({ node, untilMs: clock.now() + BELIEVED_MS, isNew })
  }

  async #beat(): Promise<void> {
    try {
      if (!(await this.#renew(false))) await this.#enterAll()
      for (const [key, person] of this.#unwritten) {
        await this.#leave(person)
        this.#unwritten.delete(key)
      }
      await this.#sweep()
    } catch (error) {
      this.#deps.log.warn({ err: error, consequence: 'who is online may be wrong for now' }, 'gateway.presence_failed')
    }
  }

  /** The node was taken for dead: its users are said to have gone. */
  async #enterAll(): Promise<void> {
    for await (const person of this.#here.people()) {
      if (person.ears.size > 0) await this.#deps.store.presence.enter(this.#of(person))
    }
  }

  async #sweep(): Promise<void> {
    const { store, clock, node: but } = this.#deps
    for (let seen = SWEEP_STEP; seen === SWEEP_STEP; ) {
      const gone = await store.presence.gone({ nowMs: clock.now(), but, limit: SWEEP_STEP })
      for (const { node, ...who } of gone) await this.#leave(who, node)
      seen = gone.length
    }
    await store.presence.forgetNodes({ nowMs: clock.now(), but })
  }
}
