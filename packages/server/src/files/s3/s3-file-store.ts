/**
 * Files in a bucket of an S3-compatible service: one PUT for each, of a file whose length is known. Signed by aws4fetch
 * and sent by undici, so that bodies are streams both ways.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { AwsV4Signer } from 'aws4fetch'
import { Agent, type Dispatcher, request } from 'undici'
import { AppError } from '../../kernel/app-error.ts'
import { type Clock, systemClock } from '../../kernel/clock.ts'
import type { Logger } from '../../kernel/logger.ts'
import type { FileKey } from '../../storage/sql/messages/files.ts'
import type { FileStore } from '../file-store.ts'

export interface S3Settings {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  /** Before every key. */
  readonly prefix: string
  /** `<endpoint>/<bucket>/…`; else the bucket is the first label of the host. */
  readonly pathStyle: boolean
  /** Whether whoever fetches a file is sent to the bucket. */
  readonly redirect: boolean
}

const ATTEMPTS = 3
const PAUSE_MS = 200
/** How long a link to the bucket is good for. */
export const LINK_SECONDS = 300

interface Call {
  readonly method: 'PUT' | 'GET' | 'DELETE'
  readonly key: string
  readonly headers?: Readonly<Record<string, string>>
  /** Made anew for every attempt. */
  readonly body?: () => Readable
}

const isPassing = (status: number): boolean => status === 429 || status >= 500

/** `<Code>` of the answer: the rest may repeat what was sent. */
const codeOf = async (body: { text(): Promise<string> }): Promise<string> =>
  /<Code>(\w{1,64})<\/Code>/.exec(await body.text().catch(() => ''))?.[1] ?? 'without a code'

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** As in `20260131T235959Z`. */
const datetimeOf = (ms: number): string => new Date(ms).toISOString().replace(/[:-]|\.\d{3}/g, '')

export const openS3FileStore = (
  settings: S3Settings,
  { log, clock = systemClock }: { log: Logger; clock?: Clock },
): FileStore => {
  const agent = new Agent({ connect: { timeout: 10_000 }, headersTimeout: 60_000, bodyTimeout: 60_000 })
  const cache = new Map<string, ArrayBuffer>()
  const base = new URL(settings.endpoint)
  if (!settings.pathStyle) base.hostname = `${settings.bucket}.${base.hostname}`
  const root = `${base.href.replace(/\/+$/, '')}${settings.pathStyle ? `/${settings.bucket}` : ''}`
  const nameOf = ({ appId, id }: FileKey): string => `${settings.prefix}${appId}/${id}`
  const urlOf = (key: string): string => `${root}/${key.split('/').map(encodeURIComponent).join('/')}`

  const signer = (
    method: string,
    url: string,
    options: { headers?: Readonly<Record<string, string>>; signQuery?: boolean } = {},
  ): AwsV4Signer =>
    new AwsV4Signer({
      ...options,
      method,
      url,
      accessKeyId: settings.accessKey,
      secretAccessKey: settings.secretKey,
      service: 's3',
      region: settings.region,
      datetime: datetimeOf(clock.now()),
      cache,
    })

  const once = async ({ method, key, headers = {}, body }: Call): Promise<Dispatcher.ResponseData> => {
    const signed = await signer(method, urlOf(key), { headers }).sign()
    return request(signed.url, {
      method,
      headers: { ...headers, ...Object.fromEntries(signed.headers) },
      body: body?.() ?? null,
      dispatcher: agent,
    })
  }

  const unavailable = (method: string, problem: string, cause?: unknown): AppError => {
    log.warn({ method, problem, ...(cause !== undefined && { err: cause }) }, 'files.store_failed')
    return new AppError('ERR_SERVICE_UNAVAILABLE', { cause: cause ?? new Error(`S3 ${method}: ${problem}`) })
  }

  /** Answers what came with a status of these; all else is a failure of the service. */
  const call = async (what: Call, expected: readonly number[]): Promise<Dispatcher.ResponseData> => {
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt === ATTEMPTS
      let answer: Dispatcher.ResponseData
      try {
        answer = await once(what)
      } catch (error) {
        if (isLast) throw unavailable(what.method, 'no answer', error)
        await wait(PAUSE_MS * attempt)
        continue
      }
      if (expected.includes(answer.statusCode)) return answer
      const problem = `status ${answer.statusCode}, ${await codeOf(answer.body)}`
      if (isLast || !isPassing(answer.statusCode)) throw unavailable(what.method, problem)
      await wait(PAUSE_MS * attempt)
    }
  }

  const put = async (key: string, length: number, type: string, body: () => Readable): Promise<void> => {
    const headers = { 'content-length': String(length), 'content-type': type }
    const answer = await call({ method: 'PUT', key, headers, body }, [200])
    await answer.body.dump()
  }

  const remove = async (key: string): Promise<void> => {
    const answer = await call({ method: 'DELETE', key }, [200, 204, 404])
    await answer.body.dump()
  }

  const link: NonNullable<FileStore['link']> = async (key, { contentType, disposition }) => {
    const url = new URL(urlOf(nameOf(key)))
    url.searchParams.set('response-content-type', contentType)
    url.searchParams.set('response-content-disposition', disposition)
    url.searchParams.set('X-Amz-Expires', String(LINK_SECONDS))
    const signed = await signer('GET', url.href, { signQuery: true }).sign()
    // Signed is `%20` for a space, and what a form would write is `+`.
    signed.url.search = signed.url.search.replaceAll('+', '%20')
    return signed.url.href
  }

  return {
    engine: 's3',
    put: (key, received, { mimeType }) =>
      put(nameOf(key), received.size, mimeType, () => createReadStream(received.path)),

    open: async (key, { start, end }) => {
      const headers = { range: `bytes=${start}-${end}` }
      const answer = await call({ method: 'GET', key: nameOf(key), headers }, [200, 206, 404])
      if (answer.statusCode !== 404) return answer.body
      await answer.body.dump()
      return undefined
    },

    remove: (key) => remove(nameOf(key)),

    ...(settings.redirect && { link }),

    check: async () => {
      const key = `${settings.prefix}check-${randomUUID()}`
      await put(key, 2, 'text/plain', () => Readable.from([Buffer.from('ok')]))
      await remove(key)
      return `in the bucket ${settings.bucket} at ${base.host}`
    },

    close: () => agent.close(),
  }
}
