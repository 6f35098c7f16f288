/**
 * Who is here: the users that have sessions on this node, the groups that they are in, and how news come to their sessions.
 *
 * Invariants: a user who is here is subscribed to news of themself before the store is asked what they are in, and what
 * news say meanwhile counts more than what the store says; a session is told that it is open only after that. So nothing
 * that happens after a session was opened passes it by, as long as the bus is up. After an outage everybody is looked up
 * again (`refresh`).
 */
import type { AppId, Guid, Uid, User } from '@confab/protocol'
import type { Bus, Subscription } from '../bus/bus.ts'
import { ignoring } from '../kernel/ignoring.ts'
import type { Logger } from '../kernel/logger.ts'
import { decodeNews, type Head, newsOfGroup, newsOfPresence, newsOfUser } from '../live/news.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Arrival } from '../storage/sql/users/sessions.ts'
import type { Store } from '../storage/store.ts'
import { userEntity } from '../users/user.ts'

/** Whose presence a session wants to hear of. */
export type PresenceWish =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'everybody' }
  | { readonly kind: 'friends' }
  | { readonly kind: 'roles'; readonly roles: ReadonlySet<string> }

/** A session, as news see it. */
export interface Ear {
  readonly presence: PresenceWish
  /** Whether it takes frames of our own. */
  readonly takesOwn: boolean
  send(frame: Buffer): void
  /** Whether the user may still have it has to be looked at again. */
  recheck(): void
}

interface Room {
  readonly guid: Guid
  readonly people: Set<Person>
  readonly ready: Promise<Subscription>
}

/** A user who is here. */
export class Person {
  readonly app: App
  readonly appId: AppId
  readonly uid: Uid
  readonly ears = new Set<Ear>()
  readonly groups = new Set<Guid>()
  blocked: ReadonlySet<string> = new Set()
  friends: ReadonlySet<string> = new Set()
  role = 'default'
  /** Their entity, JSON. */
  json = '{}'
  subscription: Subscription | undefined
  /** What news have said of their groups since the store was last asked. */
  moves = new Map<Guid, boolean>()
  /** Ends with the last look at the store. */
  looking: Promise<void> = Promise.resolve()

  constructor(app: App, uid: Uid) {
    this.app = app
    this.appId = app.id
    this.uid = uid
  }

  be(user: User): void {
    this.role = user.role
    this.json = JSON.stringify(userEntity(user))
  }

  relate({ blocked, friends }: Pick<Arrival, 'blocked' | 'friends'>): void {
    this.blocked = new Set(blocked)
    this.friends = new Set(friends)
  }
}

interface Feed {
  readonly ears: Map<Ear, Person>
  readonly ready: Promise<Subscription>
}

const keyOf = (appId: AppId, id: string): string => `${appId} ${id}`

const wants = ({ presence }: Ear, person: Person, { uid, role }: NonNullable<Head['about']>): boolean => {
  if (uid === person.uid || person.blocked.has(uid)) return false
  if (presence.kind === 'everybody') return true
  if (presence.kind === 'friends') return person.friends.has(uid)
  return presence.kind === 'roles' && presence.roles.has(role)
}

export interface HereDeps {
  readonly bus: Pick<Bus, 'subscribe'>
  readonly store: Pick<Store, 'sessions'>
  readonly log: Logger
}

export class Here {
  readonly #deps: HereDeps
  readonly #people = new Map<string, Promise<Person | undefined>>()
  readonly #rooms = new Map<string, Room>()
  readonly #feeds = new Map<AppId, Feed>()

  constructor(deps: HereDeps) {
    this.#deps = deps
  }

  /** The user, looked up if they are not here yet; nothing if there is no such user. */
  find(app: App, uid: Uid): Promise<Person | undefined> {
    const key = keyOf(app.id, uid)
    const known = this.#people.get(key)
    if (known !== undefined) return known
    const person = new Person(app, uid)
    const arriving = this.#arrive(person).catch((error: unknown) => {
      this.forget(person)
      throw error
    })
    this.#people.set(key, arriving)
    return arriving
  }

  async listen(person: Person, ear: Ear): Promise<void> {
    person.ears.add(ear)
    if (ear.presence.kind === 'nobody') return
    const { appId } = person
    let feed = this.#feeds.get(appId)
    if (feed === undefined) {
      const ears: Feed['ears'] = new Map()
      feed = {
        ears,
        ready: this.#deps.bus.subscribe(newsOfPresence(appId), (news) => this.#hearOfPresence(ears, news)),
      }
      this.#feeds.set(appId, feed)
    }
    feed.ears.set(ear, person)
    await feed.ready
  }

  /** Answers whether it was the last one of the user. */
  unlisten(person: Person, ear: Ear): boolean {
    if (!person.ears.delete(ear)) return false
    const feed = this.#feeds.get(person.appId)
    if (feed?.ears.delete(ear) && feed.ears.size === 0) {
      this.#feeds.delete(person.appId)
      this.#drop(feed.ready)
    }
    return person.ears.size === 0
  }

  /** A user without sessions is here no more. */
  forget(person: Person): void {
    this.#people.delete(keyOf(person.appId, person.uid))
    person.subscription?.unsubscribe()
    for (const guid of [...person.groups]) this.#leave(person, guid)
  }

  /** Everybody who is here. */
  async *people(): AsyncGenerator<Person> {
    for (const arriving of [...this.#people.values()]) {
      const person = await arriving.catch(() => undefined)
      if (person !== undefined) yield person
    }
  }

  get rooms(): number {
    return this.#rooms.size
  }

  /** Looks up again what is remembered of a user, one look after the other. */
  refresh(person: Person): Promise<void> {
    const looking = person.looking.then(async () => {
      const isThere = await this.#lookUp(person)
      if (!isThere) for (const ear of person.ears) ear.recheck()
    })
    person.looking = looking.catch(() => {})
    return looking
  }

  async #arrive(person: Person): Promise<Person | undefined> {
    const subject = newsOfUser(person.appId, person.uid)
    person.subscription = await this.#deps.bus.subscribe(subject, (news) => this.#hearOfUser(person, news))
    if (await this.#lookUp(person)) return person
    this.forget(person)
    return undefined
  }

  /** Answers whether there is such a user. */
  async #lookUp(person: Person): Promise<boolean> {
    const { appId, uid } = person
    const moves = new Map<Guid, boolean>()
    person.moves = moves
    const found = await this.#deps.store.sessions.arrive({ appId, uid })
    if (found === undefined) return false
    person.be(found.user)
    person.relate(found)
    const groups = new Set(found.groups)
    for (const [guid, isIn] of moves) {
      if (isIn) groups.add(guid)
      else groups.delete(guid)
    }
    await this.#settle(person, groups)
    return true
  }

  async #settle(person: Person, groups: ReadonlySet<Guid>): Promise<void> {
    for (const guid of [...person.groups]) if (!groups.has(guid)) this.#leave(person, guid)
    await Promise.all([...groups].map((guid) => this.#enter(person, guid)))
  }

  async #enter(person: Person, guid: Guid): Promise<void> {
    const { appId } = person
    const key = keyOf(appId, guid)
    let room = this.#rooms.get(key)
    if (room === undefined) {
      const people = new Set<Person>()
      room = {
        ...{ guid, people },
        ready: this.#deps.bus.subscribe(newsOfGroup(appId, guid), (news) => this.#hearOfGroup(guid, people, news)),
      }
      this.#rooms.set(key, room)
    }
    person.groups.add(guid)
    room.people.add(person)
    await room.ready
  }

  #leave(person: Person, guid: Guid): void {
    const key = keyOf(person.appId, guid)
    person.groups.delete(guid)
    const room = this.#rooms.get(key)
    if (!room?.people.delete(person) || room.people.size > 0) return
    this.#rooms.delete(key)
    this.#drop(room.ready)
  }

  #drop(ready: Promise<Subscription>): void {
    ignoring(
      ready.then((subscription) => subscription.unsubscribe()),
      'nobody listens any more',
      this.#deps.log,
    )
  }

  #hearOfUser(person: Person, news: string): void {
    const { head, frame } = decodeNews(news)
    if (frame !== '') this.#hand(person, head, Buffer.from(frame))
    if (head.enter !== undefined) this.#move(person, head.enter, true)
    if (head.leave !== undefined) this.#move(person, head.leave, false)
    if (head.stale === 'credentials') for (const ear of person.ears) ear.recheck()
    else if (head.stale !== undefined) this.#refreshSoon(person)
  }

  #refreshSoon(person: Person): void {
    ignoring(this.refresh(person), 'what is remembered of a user is old', this.#deps.log)
  }

  #move(person: Person, guid: Guid, isIn: boolean): void {
    person.moves.set(guid, isIn)
    if (!isIn) this.#leave(person, guid)
    else ignoring(this.#enter(person, guid), 'news of a group are missed', this.#deps.log)
  }

  #hearOfGroup(guid: Guid, people: ReadonlySet<Person>, news: string): void {
    const { head, frame } = decodeNews(news)
    if (frame !== '') {
      const bytes = Buffer.from(frame)
      for (const person of people) if (!head.except?.includes(person.uid)) this.#hand(person, head, bytes)
    }
    if (head.gone) for (const person of [...people]) this.#leave(person, guid)
  }

  #hearOfPresence(ears: Feed['ears'], news: string): void {
    const { head, frame } = decodeNews(news)
    const { about } = head
    if (about === undefined) return
    const bytes = Buffer.from(frame)
    for (const [ear, person] of ears) if (wants(ear, person, about)) ear.send(bytes)
  }

  #hand(person: Person, { own }: Head, bytes: Buffer): void {
    for (const ear of person.ears) if (own === undefined || own === ear.takesOwn) ear.send(bytes)
  }
}
