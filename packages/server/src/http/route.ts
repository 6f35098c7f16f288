/**
 * What an operation of the API is: data, from which the server, `/openapi.json` and the tests over the whole table
 * are made. Handlers see checked input of the types that the schemas say; they know nothing of HTTP but this.
 */
import type { KeyScope } from '@confab/protocol'
import type { Static, TSchema } from 'typebox'
import type { Caller } from '../apps/authenticate.ts'
import type { Actor } from '../kernel/actor.ts'
import type { Client } from '../kernel/client.ts'
import type { App } from '../storage/sql/apps/apps.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What a handler is given: every part checked. Some parts are made when they are asked for, so it is not to be spread. */
export interface RouteRequest<P = unknown, Q = unknown, B = unknown> {
  readonly app: App
  readonly actor: Actor
  /** What opened the app for this request. */
  readonly caller: Caller
  readonly client: Client
  /** Where the server is reached by whoever asks: scheme, host and port. */
  readonly origin: string
  /** Ends when nobody waits for the answer any more, or the server stops: for those who wait long. */
  readonly signal: AbortSignal
  /** Of a route that takes lines: the bytes, while they come. */
  readonly lines: AsyncIterable<Uint8Array>
  readonly params: P
  readonly query: Q
  readonly body: B
}

export interface Route {
  readonly method: Method
  /** With `:name` for parameters; served under every version prefix. */
  readonly path: string
  /** The least scope of key that may call it. */
  readonly access: KeyScope
  /** Whether users may call it too, with their auth token: they act as themselves. */
  readonly forUsers: boolean
  readonly summary: string
  readonly tag: string
  /** Whether the acting user may be named by the header `onBehalfOf`, and whether it must be. */
  readonly onBehalfOf: 'none' | 'optional' | 'required'
  readonly params: TSchema | undefined
  readonly query: TSchema | undefined
  readonly body: TSchema | undefined
  /** Whether the body may also be a form with files, which makes a message: see `message-form.ts`. */
  readonly takesForm: boolean
  readonly answer: TSchema
  /** Which of the two limits of an app it counts for: that of core operations, or the one of all others. */
  readonly isCore: boolean
  /** It answers with a stream of events, each of which holds what `answer` says; or with a WebSocket of the same, if that is asked for. */
  readonly isStream: boolean
  /** It takes lines of JSON of any number, and answers with lines, each of which holds what `answer` says. */
  readonly takesLines: boolean
  readonly handle: (request: RouteRequest) => Promise<unknown>
}

type Of<T extends TSchema | undefined> = T extends TSchema ? Static<T> : undefined

/** Keeps the types of one route together; the table holds them without. */
export const route = <
  P extends TSchema | undefined = undefined,
  Q extends TSchema | undefined = undefined,
  B extends TSchema | undefined = undefined,
>(definition: {
  method: Method
  path: string
  summary: string
  tag: string
  access?: KeyScope
  forUsers?: boolean
  onBehalfOf?: Route['onBehalfOf']
  params?: P
  query?: Q
  body?: B
  takesForm?: boolean
  answer: TSchema
  isStream?: boolean
  takesLines?: boolean
  isCore?: boolean
  handle: (request: RouteRequest<Of<P>, Of<Q>, Of<B>>) => Promise<unknown>
}): Route => ({
  access: 'fullAccess',
  forUsers: false,
  onBehalfOf: 'none',
  takesForm: false,
  isStream: false,
  takesLines: false,
  isCore: false,
  ...definition,
  params: definition.params,
  query: definition.query,
  body: definition.body,
  // The server checks every part against the schemas above before it calls.
  handle: definition.handle as Route['handle'],
})

/** An answer whose JSON exists already: messages are stored as the text that is sent. */
export class RawJson {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** The type of lines of JSON. */
export const LINES = 'application/x-ndjson'

/** Lines of JSON, each with its end, that are sent as they come. */
export class LineStream {
  readonly chunks: AsyncIterable<string>

  constructor(chunks: AsyncIterable<string>) {
    this.chunks = chunks
  }
}

export interface StreamEvent {
  readonly id: string
  readonly event: string
  /** JSON. */
  readonly data: string
}

/** Events that go on until their reader leaves: as `text/event-stream`, or over a WebSocket. */
export class EventStream {
  /** Says `quiet` now and then while there are none. */
  readonly events: AsyncIterable<StreamEvent | 'quiet'>
  /** What is said over a WebSocket, one after the other; answers the JSON of what is said to it. */
  readonly hear: (text: string) => Promise<string>

  constructor(events: AsyncIterable<StreamEvent | 'quiet'>, hear: (text: string) => Promise<string>) {
    this.events = events
    this.hear = hear
  }
}
