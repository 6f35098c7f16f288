/** Bots that fetch their updates: one call at a time, or as a stream, over connections of their own. */
import { text as readText } from 'node:stream/consumers'
import type { BotSettings, Callback, Update } from '@confab/protocol'
import { WebSocket } from 'ws'
import type { TestServer } from './server.ts'

export interface UpdateStream {
  readonly status: number
  readonly contentType: string
  /** Code of the error, if it is one. */
  readonly code: string | undefined
  /** As they came. */
  readonly updates: readonly Update[]
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>
  /** Leaves without a word. */
  leave(): void
}

const eventsOf = (text: string): Update[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Update)

const textOf = (frame: unknown): string => (typeof frame === 'string' ? frame : JSON.stringify(frame))

const headersOf = ({ restApiKey, appId }: TestServer) => ({ apikey: restApiKey, appid: appId })

export const openStream = async (server: TestServer, bot: string, query = ''): Promise<UpdateStream> => {
  const leaving = new AbortController()
  const answer = await fetch(`${server.url}/v3/bots/${bot}/updates/stream${query}`, {
    headers: headersOf(server),
    signal: leaving.signal,
  })
  const updates: Update[] = []
  const contentType = answer.headers.get('content-type') ?? ''
  const shared = { status: answer.status, contentType, updates, leave: () => leaving.abort() }
  if (answer.status !== 200) {
    const { error } = (await answer.json()) as { error: { code: string } }
    return { ...shared, code: error.code, ended: Promise.resolve() }
  }
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(chunk, { stream: true })
      const end = rest.lastIndexOf('\n\n')
      if (end < 0) continue
      updates.push(...eventsOf(rest.slice(0, end)))
      rest = rest.slice(end + 2)
    }
  }
  return { ...shared, code: undefined, ended: read().catch(() => undefined) }
}

export interface UpdateSocket {
  /** Of an answer that is no socket. */
  readonly status: number
  /** Code of the error, if it is one. */
  readonly code: string | undefined
  /** As they came. */
  readonly frames: readonly UpdateFrame[]
  readonly updates: readonly Update[]
  /** How the server has ended it. */
  readonly closed: Promise<{ code: number; reason: string }>
  readonly socket: WebSocket
  /** Text, or what becomes JSON; of what was said, the answers come in order. */
  say(frame: unknown): void
}

export type UpdateFrame = { update: Update } | { acknowledged: number } | { error: { code: string; details?: object } }

/** @param headers in place of those with the key */
export const openSocket = async (
  server: TestServer,
  bot: string,
  { query = '', headers = headersOf(server) }: { query?: string; headers?: Record<string, string> } = {},
): Promise<UpdateSocket> => {
  const url = `${server.url.replace(/^http/, 'ws')}/v3/bots/${bot}/updates/stream${query}`
  const socket = new WebSocket(url, { headers, rejectUnauthorized: false })
  const frames: UpdateFrame[] = []
  const { promise: closed, resolve: close } = Promise.withResolvers<{ code: number; reason: string }>()
  const shared = { frames, closed, socket, say: (frame: unknown) => socket.send(textOf(frame)) }
  socket.on('message', (data) => frames.push(JSON.parse(data.toString()) as UpdateFrame))
  socket.on('close', (code, reason) => close({ code, reason: reason.toString() }))
  const { promise, resolve, reject } = Promise.withResolvers<UpdateSocket>()
  socket.on('open', () =>
    resolve({
      ...shared,
      status: 101,
      code: undefined,
      get updates() {
        return frames.flatMap((frame) => ('update' in frame ? [frame.update] : []))
      },
    }),
  )
  socket.on('unexpected-response', (_request, answer) => {
    readText(answer).then((text) => {
      const { error } = JSON.parse(text) as { error?: { code: string } }
      resolve({ ...shared, status: answer.statusCode ?? 0, code: error?.code, updates: [] })
      socket.terminate()
    }, reject)
  })
  socket.on('error', (error) => reject(error))
  return promise
}

export interface Pulled {
  readonly status: number
  /** Code of the error, if it is one. */
  readonly code: string | undefined
  readonly updates: readonly Update[]
  /** For the next call. */
  readonly offset: number
  /** How long it took. */
  readonly ms: number
}

export interface PullQuery {
  readonly offset?: number | undefined
  readonly limit?: number
  readonly timeoutSeconds?: number
}

/** @param signal leaves without a word; then, and when nobody answers, it rejects */
export const pull = async (
  server: TestServer,
  bot: string,
  query: PullQuery = {},
  signal?: AbortSignal,
): Promise<Pulled> => {
  const started = performance.now()
  const asked = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value))
  const answer = await fetch(`${server.url}/v3/bots/${bot}/updates?${asked}`, {
    headers: headersOf(server),
    ...(signal && { signal }),
  })
  const json = (await answer.json()) as {
    data?: Update[]
    meta?: { next: { offset: number } }
    error?: { code: string }
  }
  return {
    status: answer.status,
    code: json.error?.code,
    updates: json.data ?? [],
    offset: json.meta?.next.offset ?? Number.NaN,
    ms: performance.now() - started,
  }
}

/** Answers how many updates are delivered by that. */
export const acknowledge = async (server: TestServer, bot: string, offset: number): Promise<number> => {
  const path = `/bots/${bot}/updates/acknowledge`
  const { data } = await server.client.request<{ acknowledged: number }>('POST', path, { body: { offset } })
  return data.acknowledged
}

/** The user and the bot on it, which fetches its updates and has no URL, unless the settings say otherwise. */
export const makePuller = async (
  server: TestServer,
  uid: string,
  settings: BotSettings & { webhookURL?: string; enabled?: boolean; groupChatSetting?: string } = {},
): Promise<void> => {
  await server.client.createUser({ uid, name: uid.toUpperCase() })
  await server.client.request('POST', '/bots', { body: { uid, enabled: true, receive: 'pull', ...settings } })
}

/** Of an update that is a message. */
export const messageOf = ({ callback }: Update): Callback['data'] => (callback as Callback).data
export const saidIn = (updates: readonly Update[]): string[] =>
  updates.map((update) => String(messageOf(update).data.text))
