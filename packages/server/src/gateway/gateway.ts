/**
 * The gateway: WebSockets on the port of the API. A session is one authenticated connection of a device; what happens comes
 * to it by the bus, and what it says goes the way that requests go.
 *
 * Shutdown: nobody is let in, sessions are closed with "going away", so that clients come back to another node.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { AuthFrame, MessageId, Uid } from '@confab/protocol'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Bus } from '../bus/bus.ts'
import type { Teller } from '../callbacks/tell.ts'
import type { MarkMessages } from '../conversations/mark-messages.ts'
import { AppError } from '../kernel/app-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { ignoring } from '../kernel/ignoring.ts'
import type { Logger } from '../kernel/logger.ts'
import { frameOf } from '../live/frames.ts'
import type { Live } from '../live/live.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { Store } from '../storage/store.ts'
import type { makeCheckPass } from '../users/pass.ts'
import type { GatewayMetrics } from '../workers/metrics.ts'
import { makeHear } from './hear.ts'
import { Here, type Person, type PresenceWish } from './here.ts'
import type { Logins } from './logins.ts'
import { Presence } from './presence.ts'
import { type MissedBy, makeMissedBy } from './resume.ts'
import { type Closing, Session, type SessionDeps } from './session.ts'

export interface GatewayOptions {
  /** Where sockets are opened, besides `/`. */
  readonly path: string
  /** In bytes: of one frame of a client. */
  readonly maxFrame: number
  /** In bytes: how much may wait for one client. */
  readonly maxBuffered: number
  readonly framesPerSecond: number
  readonly maxPresenceUsers: number
}

export interface GatewayDeps {
  readonly options: GatewayOptions
  readonly store: Pick<Store, 'apps' | 'sessions' | 'presence' | 'messages'>
  readonly bus: Bus
  readonly live: Live
  readonly teller: Teller
  readonly mark: MarkMessages
  readonly checkPass: ReturnType<typeof makeCheckPass>
  /** Whether the page that asks may open a socket. */
  readonly mayConnect: (request: IncomingMessage) => boolean
  /** Whose address a request comes from, proxies that are trusted aside. */
  readonly addressOf: (request: IncomingMessage) => string
  readonly logins: Logins
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: GatewayMetrics
  /** The id of this run. */
  readonly node: string
}

/**
 * A client SDK that has lost the race of `Logins` never says who it is: it is back 5 s after the close, and all of it must
 * not take longer than people wait.
 */
const AUTH_WITHIN_MS = 4000
const LOOK_EVERY_MS = 5000
const PING_AFTER_MS = 30_000
const DEAD_AFTER_MS = 75_000
/** What was believed of a pass is looked at again, in case that news of its end were lost. */
const RECHECK_AFTER_MS = 300_000
const CLOSE_WITHIN_MS = 1000

const wishOf = ({ presenceSubscription, roles = [] }: AuthFrame['body']): PresenceWish => {
  if (presenceSubscription === 'ALL_USERS') return { kind: 'everybody' }
  if (presenceSubscription === 'FRIENDS') return { kind: 'friends' }
  if (presenceSubscription !== 'ROLES') return { kind: 'nobody' }
  return { kind: 'roles', roles: new Set(roles.map((role) => role.toLowerCase())) }
}

const refuse = (socket: Duplex, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

export class Gateway {
  readonly #deps: GatewayDeps
  readonly #server: WebSocketServer
  readonly #sessions = new Set<Session>()
  readonly #here: Here
  readonly #presence: Presence
  readonly #session: SessionDeps
  readonly #missedBy: MissedBy
  #timer: NodeJS.Timeout | undefined
  #connections: number
  #isStopping = false

  constructor(deps: GatewayDeps) {
    const { options, store, bus, live, teller, mark, clock, log, metrics, node } = deps
    this.#deps = deps
    this.#connections = bus.connections()
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.maxFrame,
      perMessageDeflate: false,
    })
    this.#here = new Here({ bus, store, log })
    this.#presence = new Presence(
      { store, live, teller, clock, log, node, maxUsers: options.maxPresenceUsers },
      this.#here,
    )
    this.#missedBy = makeMissedBy({ store })
    this.#session = {
      clock,
      ...options,
      admit: (session, frame) => this.#admit(session, frame),
      hear: makeHear({ live, mark, onRefused: () => metrics.frameIgnored('refused') }),
      recheck: (session) => ignoring(this.#recheck(session), 'it is looked at again later', log),
      onIgnored: (why) => metrics.frameIgnored(why),
      onBroken: ({ person }, error) => log.error({ err: error, appId: person?.appId }, 'gateway.frame_failed'),
      onSent: (frames) => metrics.framesSent(frames),
      onClosed: (session) => this.#closed(session),
    }
  }

  async start(): Promise<void> {
    await this.#presence.start()
    this.#deps.metrics.watchSessions({ sessions: () => this.#sessions.size, rooms: () => this.#here.rooms })
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
  }

  /** Whether the socket that is asked for is that of a client. */
  takes({ url = '/' }: IncomingMessage): boolean {
    const path = url.split('?')[0]
    return path === '/' || path === this.#deps.options.path
  }

  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const letIn = this.#upgrade(request, socket, head).catch((error: unknown) => {
      refuse(socket, '500 Internal Server Error')
      throw error
    })
    ignoring(letIn, 'the client tries again', this.#deps.log)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    clearInterval(this.#timer)
    for (const session of this.#sessions) session.end('stopping')
    const end = Date.now() + CLOSE_WITHIN_MS
    while (this.#sessions.size > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
    this.abort()
    await this.#presence.stop()
  }

  /** Does not wait for clients. */
  abort(): void {
    for (const session of this.#sessions) session.cut()
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { mayConnect, addressOf, logins } = this.#deps
    if (this.#isStopping) return refuse(socket, '503 Service Unavailable')
    if (!mayConnect(request)) return refuse(socket, '403 Forbidden')
    const address = addressOf(request)
    await logins.mayOpen(address)
    if (socket.destroyed) return
    if (this.#isStopping) return refuse(socket, '503 Service Unavailable')
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket, address))
  }

  #open(socket: WebSocket, address: string): void {
    const session = new Session(socket, this.#session, address)
    this.#sessions.add(session)
    setTimeout(() => {
      if (session.state === 'waiting') session.end('silent')
    }, AUTH_WITHIN_MS).unref()
  }

  /** Never rejects. */
  async #admit(session: Session, frame: AuthFrame): Promise<void> {
    try {
      const why = await this.#tryAdmit(session, frame)
      if (why !== undefined) session.end(why)
    } catch (error) {
      if (!(error instanceof AppError)) this.#deps.log.warn({ err: error }, 'gateway.admission_failed')
      session.end(error instanceof AppError ? 'refused' : 'failed')
    }
  }

  /** Answers what is in the way. */
  async #tryAdmit(session: Session, { body, appId, deviceId }: AuthFrame): Promise<Closing | undefined> {
    const { checkPass, store } = this.#deps
    const bearer = await checkPass(body.auth)
    if (bearer === undefined || (appId !== undefined && appId.toLowerCase() !== bearer.appId.toLowerCase()))
      return 'refused'
    const app = await store.apps.find({ id: bearer.appId })
    if (app === undefined) return 'refused'
    session.pass = body.auth
    session.deviceId = body.deviceId ?? deviceId ?? ''
    session.presence = wishOf(body)
    session.takesOwn = body.confab?.streams ?? false
    const person = await this.#enter(session, app, bearer.uid)
    if (person === undefined) return 'refused'
    const welcome = frameOf(
      {
        ...{ appId: app.id, type: 'auth', deviceId: session.deviceId },
        ...{ sender: person.uid, receiver: person.uid, receiverType: 'user' },
      },
      '{"code":"200","status":"OK"}',
    )
    session.greet(welcome)
    const seen = new Set<MessageId>()
    const { confab } = body
    if (confab?.since !== undefined) {
      for await (const { ids, frames } of this.#missedBy(person, confab)) {
        for (const id of ids) seen.add(id)
        await session.catchUp(frames)
        if (session.state !== 'opening') break
      }
    }
    session.open(seen)
    return undefined
  }

  async #enter(session: Session, app: App, uid: Uid): Promise<Person | undefined> {
    const person = await this.#here.find(app, uid)
    if (person === undefined) return undefined
    session.person = person
    await this.#here.listen(person, session)
    // It may have been closed meanwhile: then it was not yet there to be taken away.
    if (session.state === 'closed') this.#leave(session)
    else await this.#presence.came(person)
    return person
  }

  #leave(session: Session): void {
    const { person } = session
    if (person !== undefined && this.#here.unlisten(person, session)) this.#presence.went(person)
  }

  #closed(session: Session): void {
    this.#sessions.delete(session)
    this.#leave(session)
    const { log, metrics, clock } = this.#deps
    const { person, reason, received, sent, openedAtMs } = session
    metrics.sessionClosed(reason)
    const appId = person?.appId
    log.info({ appId, reason, received, sent, ms: clock.now() - openedAtMs }, 'gateway.session')
  }

  async #recheck(session: Session): Promise<void> {
    if (session.state !== 'open') return
    session.checkedAtMs = this.#deps.clock.now()
    if ((await this.#deps.checkPass(session.pass)) === undefined) session.end('revoked')
  }

  /** Of all sessions: whoever is silent or dead; after an outage of the bus, whatever may have been missed. */
  #look(): void {
    const now = this.#deps.clock.now()
    for (const session of this.#sessions) {
      const silentMs = now - session.lastHeardMs
      if (silentMs > DEAD_AFTER_MS) session.end('dead')
      else if (silentMs > PING_AFTER_MS) session.ping()
      if (session.state === 'open' && now - session.checkedAtMs > RECHECK_AFTER_MS) session.recheck()
    }
    const connections = this.#deps.bus.connections()
    if (connections === this.#connections) return
    this.#connections = connections
    ignoring(this.#refreshAll(), 'done again after the next outage', this.#deps.log)
  }

  async #refreshAll(): Promise<void> {
    for await (const person of this.#here.people()) {
      await this.#here.refresh(person)
      for (const ear of person.ears) ear.recheck()
    }
  }
}
