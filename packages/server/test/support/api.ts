/** HTTP as it is: any header, any bytes. Every answer is checked against the contract before a test sees it. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { ErrorAnswer, errorCodes, isErrorCode } from '@confab/protocol'
import { Compile } from 'typebox/compile'
import { expect } from 'vitest'
import { operationOf } from './routes.ts'
import type { TestServer } from './server.ts'

export interface CallOptions {
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as it is, in place of `body`. */
  readonly rawBody?: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
  readonly onBehalfOf?: string | undefined
  /** In place of the key of scope fullAccess; null for none. */
  readonly key?: string | null
  /** The auth token of a user, in place of a key. */
  readonly token?: string
  /** In place of the app's id; null for none. */
  readonly appId?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** In place of `/v3`. */
  readonly prefix?: string
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose shape the schemas have checked
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: Json
}

const isError = Compile(ErrorAnswer)

/** The documented envelope, a documented code, its status, its words; and never our fault. */
const checkError = (what: string, { status, json, text }: Answer): void => {
  expect(isError.Check(json), `${what} answered ${text}`).toBe(true)
  const { code, message, devMessage, requestId } = json.error
  expect(isErrorCode(code), `${what} answered the unknown code ${code}`).toBe(true)
  if (!isErrorCode(code)) return
  const row = errorCodes[code]
  expect({ what, status, message, devMessage }).toEqual({
    what,
    status: row.status,
    message: row.meaning,
    devMessage: row.fix,
  })
  expect(requestId).toMatch(/^req_[0-9A-Z]{26}_\d+$/)
  expect(status, `${what} answered ${text}`).toBeLessThan(500)
}

const send = (url: URL, method: string, path: string, headers: Record<string, string>, body: string | undefined) =>
  new Promise<Answer>((resolve, reject) => {
    const outgoing = httpRequest(
      { host: url.hostname, port: url.port, method, path, headers, agent: false, timeout: 15_000 },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8')
          let json: Json
          try {
            json = JSON.parse(text)
          } catch {
            json = undefined
          }
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
        })
      },
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer in time`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })

export class Api {
  readonly server: TestServer
  /** Operations that were answered with 200. */
  readonly used = new Set<string>()
  /** The texts of all errors. */
  readonly errors: string[] = []

  constructor(server: TestServer) {
    this.server = server
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { restApiKey, appId } = this.server
    const query = new URLSearchParams(
      Object.entries(options.query ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString()
    const body = options.rawBody ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
    const headers: Record<string, string> = {
      ...(options.token !== undefined && { authtoken: options.token }),
      ...(options.key !== null && options.token === undefined && { apikey: options.key ?? restApiKey }),
      ...(options.appId !== null && { appid: options.appId ?? appId }),
      ...(options.onBehalfOf !== undefined && { onbehalfof: options.onBehalfOf }),
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
      }),
      ...options.headers,
    }
    const target = `${options.prefix ?? '/v3'}${path}${query === '' ? '' : `?${query}`}`
    const answer = await send(new URL(this.server.url), method, target, headers, body)
    this.#check(method, path, answer)
    return answer
  }

  /** What a successful call answers. */
  async ok(method: string, path: string, options: CallOptions = {}): Promise<Json> {
    const { status, text, json } = await this.call(method, path, options)
    expect(status, `${method} ${path} answered ${text}`).toBe(200)
    return json
  }

  /** Expects the code; answers the error. */
  async fails(code: string, method: string, path: string, options: CallOptions = {}): Promise<Json> {
    const { text, json } = await this.call(method, path, options)
    expect(json?.error?.code, `${method} ${path} answered ${text}`).toBe(code)
    return json.error
  }

  #check(method: string, path: string, answer: Answer): void {
    const what = `${method} ${path.slice(0, 200)}`
    expect(answer.headers['content-type'], `${what} answered ${answer.text}`).toMatch(/^application\/json/)
    if (answer.status !== 200) {
      this.errors.push(answer.text)
      checkError(what, answer)
      return
    }
    const operation = operationOf(method, path)
    expect(operation, `${what} is not in the table of routes`).toBeDefined()
    const isAnswer = operation?.answer.Check(answer.json)
    const problems = isAnswer ? [] : operation?.answer.Errors(answer.json)
    expect(problems, `${what} answered ${answer.text}`).toEqual([])
    this.used.add(`${method} ${operation?.route.path}`)
  }
}
