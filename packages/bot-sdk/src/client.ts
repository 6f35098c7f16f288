import {
  callbackHeaders,
  type ErrorAnswer,
  type Group,
  type Message,
  type SendMessage,
  type User,
} from '@confab/protocol'

/** The server said no. */
export class ConfabError extends Error {
  /** A documented code, such as `ERR_UID_NOT_FOUND`. */
  readonly code: string
  readonly status: number
  /** Field → what is wrong with it. */
  readonly details: Readonly<Record<string, string>>
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined

  constructor(status: number, { code, message, devMessage, details, requestId }: ErrorAnswer['error']) {
    super(`${code}: ${message} ${devMessage}`)
    this.name = 'ConfabError'
    this.code = code
    this.status = status
    this.details = details ?? {}
    this.requestId = requestId
  }
}

/** The server could not be asked, or did not answer as Confab does. */
export class ConfabUnreachableError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options)
    this.name = 'ConfabUnreachableError'
  }
}

export interface ClientOptions {
  /** Where the server is, without the version: `http://127.0.0.1:4000`. */
  readonly url: string
  /** Needed where the server has several apps. */
  readonly appId?: string
  /** A key of scope fullAccess. Never in a browser. */
  readonly apiKey: string
  /** Milliseconds after which a request is given up. */
  readonly timeoutMs?: number
}

export interface RequestOptions {
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** The user in whose name it is done. */
  readonly onBehalfOf?: string
  readonly headers?: Readonly<Record<string, string>>
  /** In place of that of the client. */
  readonly timeoutMs?: number
  /** Gives the request up; then it rejects with the reason of the signal. */
  readonly signal?: AbortSignal
}

/** What is sent: a text, or a whole message of the contract. */
export type Outgoing = string | Omit<SendMessage, 'receiver' | 'receiverType' | 'multipleReceivers'>

export interface Receiver {
  readonly receiver: string
  readonly receiverType: 'user' | 'group'
}

const DEFAULT_TIMEOUT_MS = 30_000

/** A text as the message that it stands for. */
export const outgoing = (message: Outgoing): SendMessage =>
  typeof message === 'string' ? { data: { text: message } } : message

const isPrintable = (text: string): boolean => /^[!-~]*$/.test(text.trim())

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isErrorAnswer = (answer: unknown): answer is ErrorAnswer =>
  isObject(answer) &&
  'error' in answer &&
  isObject(answer.error) &&
  'code' in answer.error &&
  typeof answer.error.code === 'string'

/**
 * The server's REST API.
 *
 * @example
 * const client = new ConfabClient({ url: 'http://127.0.0.1:4000', apiKey })
 * await client.createUser({ uid: 'ann', name: 'Ann' })
 */
export class ConfabClient {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    // No header can carry it; the error of `fetch` would show it.
    if (!isPrintable(options.apiKey)) throw new TypeError('apiKey: holds characters that no key has')
    this.#options = options
  }

  /**
   * Any operation of the API; answers its whole envelope.
   *
   * @throws {ConfabError} with the code of the server
   * @throws {ConfabUnreachableError}
   */
  async request<T = unknown>(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<{ data: T; meta?: unknown }> {
    const { url, apiKey, appId } = this.#options
    const timeout = AbortSignal.timeout(options.timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const target = new URL(`${url.replace(/\/$/, '')}/v3${path}`)
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) target.searchParams.set(name, String(value))
    }
    const where = `${method} ${target.origin}${target.pathname}`
    const response = await fetch(target, {
      method,
      headers: {
        apikey: apiKey,
        ...(appId !== undefined && { appid: appId }),
        ...(options.onBehalfOf !== undefined && { onbehalfof: options.onBehalfOf }),
        ...(options.body !== undefined && { 'content-type': 'application/json' }),
        ...options.headers,
      },
      // The key goes nowhere but where it was said to go.
      redirect: 'manual',
      signal: options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    }).catch((cause: unknown) => {
      options.signal?.throwIfAborted()
      throw new ConfabUnreachableError(`${where}: no answer`, { cause })
    })
    const answer: unknown = await response.json().catch((cause: unknown) => {
      options.signal?.throwIfAborted()
      throw new ConfabUnreachableError(`${where}: ${response.status}, and the answer is not JSON`, { cause })
    })
    if (isErrorAnswer(answer)) throw new ConfabError(response.status, answer.error)
    if (!response.ok || !isObject(answer) || !('data' in answer)) {
      throw new ConfabUnreachableError(`${where}: ${response.status}, and the answer is not Confab's`)
    }
    // The server's own; what `T` is, the caller says.
    return answer as { data: T; meta?: unknown }
  }

  /** @throws {ConfabError} `ERR_UID_ALREADY_EXISTS` */
  async createUser(user: { uid: string; name: string } & Partial<User>): Promise<User> {
    return (await this.request<User>('POST', '/users', { body: user })).data
  }

  /** @throws {ConfabError} `ERR_GUID_ALREADY_EXISTS` */
  async createGroup(group: {
    guid: string
    name: string
    type: Group['type']
    owner?: string
    members?: { participants?: string[]; admins?: string[] }
  }): Promise<Group> {
    return (await this.request<Group>('POST', '/groups', { body: group })).data
  }

  /** Sends as a user, or as the app. */
  async sendMessage(to: Receiver, message: Outgoing, options: { onBehalfOf?: string } = {}): Promise<Message> {
    return (await this.request<Message>('POST', '/messages', { ...options, body: { ...outgoing(message), ...to } }))
      .data
  }

  /**
   * Sends as a bot.
   *
   * @param options.hop of what the bot heard, if that is why it speaks: so bots that answer each other come to an end
   */
  async sendBotMessage(bot: string, to: Receiver, message: Outgoing, options: { hop?: number } = {}): Promise<Message> {
    const path = `/bots/${encodeURIComponent(bot)}/messages`
    const headers = { ...(options.hop !== undefined && { [callbackHeaders.hop]: String(options.hop) }) }
    return (await this.request<Message>('POST', path, { body: { ...outgoing(message), ...to }, headers })).data
  }

  /** Shows that a bot types, to whom it writes to, or that it has stopped. Nothing of it is kept. */
  async sendBotTyping(bot: string, to: Receiver, action: 'started' | 'ended' = 'started'): Promise<void> {
    await this.request('POST', `/bots/${encodeURIComponent(bot)}/typing`, { body: { ...to, action } })
  }
}
