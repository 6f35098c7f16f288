/** Clients of the gateway: real sockets that remember every frame, and can wait for one. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { parseAppId, parseUid } from '@confab/protocol'
import { WebSocket } from 'ws'
import { passOf } from '../../src/users/pass.ts'
import type { Json } from './api.ts'
import type { TestServer } from './server.ts'

export interface Frame {
  readonly type?: string
  readonly action?: string
  readonly sender: string
  readonly receiver: string
  readonly receiverType: string
  readonly deviceId: string
  readonly messageSender?: string
  readonly body: Json
}

const WITHIN_MS = 10_000
const LOOK_EVERY_MS = 100

export class Client {
  readonly uid: string
  readonly deviceId: string
  readonly frames: Frame[] = []
  readonly socket: WebSocket
  closed: { code: number; reason: string } | undefined
  readonly #waiting = new Set<() => void>()

  constructor(url: string, { uid, deviceId = `WEB-${randomUUID()}`, headers = {} }: ClientOptions) {
    this.uid = uid
    this.deviceId = deviceId
    this.socket = new WebSocket(url, { headers })
    this.socket.on('message', (data) => {
      this.frames.push(JSON.parse(data.toString()) as Frame)
      this.#wake()
    })
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  async opened(): Promise<this> {
    if (this.socket.readyState !== WebSocket.OPEN) await once(this.socket, 'open')
    return this
  }

  /** @param frame text, or an object that becomes JSON */
  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  /** A frame of this client, with its envelope. */
  say(type: string, target: { user: string } | { group: string }, body: unknown, more: object = {}): void {
    const to =
      'user' in target
        ? { receiver: target.user, receiverType: 'user' }
        : { receiver: target.group, receiverType: 'group' }
    this.send({ appId: 'x', type, sender: this.uid, ...to, deviceId: this.deviceId, body, ...more })
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  /** The messages that have come, in their order. */
  get messages(): Json[] {
    return this.of('message').map(({ body }) => body)
  }

  /** Waits until something is so, and answers it. */
  async until<T>(what: string, look: () => T | undefined | false, withinMs = WITHIN_MS): Promise<T> {
    const end = Date.now() + withinMs
    for (;;) {
      const found = look()
      if (found !== undefined && found !== false) return found
      const left = end - Date.now()
      if (left <= 0) throw new Error(`${this.uid} waited in vain for ${what}; got ${JSON.stringify(this.frames)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, LOOK_EVERY_MS))
        const wake = (): void => {
          clearTimeout(timer)
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }

  /** The first frame of the type, or that the test is true of, whether it has come or is still to come. */
  frame(type: string, is: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return this.until(`a frame of type ${type}`, () => this.of(type).find(is))
  }

  message(is: (message: Json) => boolean): Promise<Json> {
    return this.until('a message', () => this.messages.find(is))
  }

  /** Everything that was sent to it before has come: what is sent in answer comes behind. */
  async settled(): Promise<void> {
    const before = this.frames.length
    this.send({ action: 'ping', ack: 'true' })
    await this.until('a pong', () => this.frames.slice(before).find(({ action }) => action === 'pong'))
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  async close(): Promise<void> {
    if (this.closed !== undefined) return
    this.socket.close()
    await this.until('the close', () => this.closed)
  }
}

export interface ClientOptions {
  readonly uid: string
  readonly deviceId?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface SignIn extends ClientOptions {
  readonly presence?: 'ALL_USERS' | 'FRIENDS' | 'ROLES'
  readonly roles?: readonly string[]
  readonly confab?: object
  readonly path?: string
}

export const socketUrl = (server: TestServer, path = '/'): string => server.url.replace(/^http/, 'ws') + path

/** Clients of one server, closed with it. */
export class Clients {
  readonly #server: TestServer
  readonly #open: Client[] = []
  readonly #tokens = new Map<string, string>()

  constructor(server: TestServer) {
    this.#server = server
  }

  async tokenOf(uid: string): Promise<string> {
    const known = this.#tokens.get(uid)
    if (known !== undefined) return known
    const response = await fetch(`${this.#server.url}/v3/users/${uid}/auth_tokens`, {
      method: 'POST',
      headers: { apikey: this.#server.authKey, appid: this.#server.appId, 'content-type': 'application/json' },
      body: '{}',
    })
    const { data } = (await response.json()) as Json
    this.#tokens.set(uid, data.authToken)
    return data.authToken
  }

  async passOf(uid: string): Promise<string> {
    const authToken = await this.tokenOf(uid)
    return passOf({ appId: parseAppId(this.#server.appId), uid: parseUid(uid), authToken })
  }

  /** Connected, and no more. */
  async connect(options: ClientOptions, path = '/'): Promise<Client> {
    const client = new Client(socketUrl(this.#server, path), options)
    this.#open.push(client)
    return client.opened()
  }

  /** In an open session. */
  async signIn({ presence, roles, confab, path, ...options }: SignIn): Promise<Client> {
    const client = await this.connect(options, path)
    client.send({
      appId: this.#server.appId,
      deviceId: client.deviceId,
      type: 'auth',
      sender: client.uid,
      body: {
        auth: await this.passOf(client.uid),
        deviceId: client.deviceId,
        ...(presence && { presenceSubscription: presence }),
        ...(roles && { roles }),
        ...(confab && { confab }),
        params: { appInfo: { version: '4.2.0' }, platform: 'javascript' },
      },
    })
    await client.frame('auth')
    return client
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((client) => client.close().catch(() => {})))
  }
}
