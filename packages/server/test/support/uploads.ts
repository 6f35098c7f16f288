/** Forms with files, as browsers and SDKs send them, and files as browsers fetch them: bytes, not texts. */

import { existsSync, readdirSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Api, Json } from './api.ts'
import type { TestServer } from './server.ts'

export interface Upload {
  readonly name: string
  readonly type?: string
  readonly bytes: string | Uint8Array
  /** The field; `files[]` unless named. */
  readonly field?: string
}

export const formOf = (
  fields: Readonly<Record<string, string | readonly string[]>>,
  files: readonly Upload[] = [],
): FormData => {
  const form = new FormData()
  for (const [name, values] of Object.entries(fields)) for (const value of [values].flat()) form.append(name, value)
  for (const { name, type = '', bytes, field = 'files[]' } of files) {
    form.append(field, new Blob([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], { type }), name)
  }
  return form
}

export interface FormAnswer {
  readonly status: number
  readonly text: string
  readonly json: Json
}

export interface FormOptions {
  readonly onBehalfOf?: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** To `path` under `/v3`, with the key of scope fullAccess unless a token is given. */
export const postForm = async (
  { server }: Api,
  path: string,
  form: FormData,
  { onBehalfOf, token, headers = {} }: FormOptions = {},
): Promise<FormAnswer> => {
  const response = await fetch(`${server.url}/v3${path}`, {
    method: 'POST',
    body: form,
    headers: {
      ...(token === undefined ? { apikey: server.restApiKey } : { authtoken: token }),
      appid: server.appId,
      ...(onBehalfOf !== undefined && { onbehalfof: onBehalfOf }),
      ...headers,
    },
  })
  const text = await response.text()
  return { status: response.status, text, json: text === '' ? undefined : JSON.parse(text) }
}

/** Answers the message. */
export const sendForm = async (api: Api, path: string, form: FormData, options: FormOptions = {}): Promise<Json> => {
  const { status, text, json } = await postForm(api, path, form, options)
  expect(status, `the form was answered with ${text}`).toBe(200)
  return json.data
}

export const refusedForm = async (
  api: Api,
  path: string,
  form: FormData,
  options: FormOptions = {},
): Promise<{ status: number; code: string; details: Json }> => {
  const { status, json } = await postForm(api, path, form, options)
  return { status, code: json.error?.code, details: json.error?.details }
}

export interface Fetched {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
}

/** The path as it is, be it a good one or not. */
export const fetchRaw = (
  url: string,
  { method = 'GET', headers = {}, path }: { method?: string; headers?: Record<string, string>; path?: string } = {},
): Promise<Fetched> =>
  new Promise((resolve, reject) => {
    const target = new URL(url)
    const outgoing = httpRequest(
      { host: target.hostname, port: target.port, path: path ?? target.pathname, method, headers, agent: false },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(parts) }),
        )
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })

/** Every file under the server's folder of files, half-way or whole. */
export const filesOnDisk = ({ dataDir = '' }: TestServer): string[] => {
  const root = join(dataDir, 'files')
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
}
