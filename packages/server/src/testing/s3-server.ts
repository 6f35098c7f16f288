/**
 * A small server that speaks what we use of S3 (PUT, GET with ranges, DELETE, links) and checks every signature (version 4)
 * as the service does, from the bytes of the request; it shares no code with our client.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface S3TestServer {
  readonly endpoint: string
  readonly objects: ReadonlyMap<string, Buffer>
  /** Requests in order, as `PUT /bucket/key`. */
  readonly requests: readonly string[]
  /** The next requests are answered with this status, or not at all. */
  failNext(...how: readonly (number | 'reset')[]): void
  close(): Promise<void>
}

export const s3Credentials = { accessKey: 'AKIATEST', secretKey: 'secret/of+the/test', region: 'eu-test-1' } as const

const SKEW_MS = 15 * 60_000

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

const timeOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

interface Claim {
  readonly credential: string
  readonly signedHeaders: string
  readonly signature: string
  readonly datetime: string
  readonly payload: string
  readonly seconds: number
}

const claimOf = (request: IncomingMessage, query: URLSearchParams): Claim | undefined => {
  if (query.has('X-Amz-Signature')) {
    return {
      credential: query.get('X-Amz-Credential') ?? '',
      signedHeaders: query.get('X-Amz-SignedHeaders') ?? '',
      signature: query.get('X-Amz-Signature') ?? '',
      datetime: query.get('X-Amz-Date') ?? '',
      payload: 'UNSIGNED-PAYLOAD',
      seconds: Number(query.get('X-Amz-Expires')),
    }
  }
  const { authorization = '' } = request.headers
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(authorization) ?? []
  if (credential === undefined || signedHeaders === undefined || signature === undefined) return undefined
  return {
    ...{ credential, signedHeaders, signature },
    datetime: String(request.headers['x-amz-date'] ?? ''),
    payload: String(request.headers['x-amz-content-sha256'] ?? ''),
    seconds: SKEW_MS / 1000,
  }
}

/** The code of what is wrong with the signature, if anything is. */
const problemOf = (request: IncomingMessage, body: Buffer): string | undefined => {
  const [path = '', search = ''] = (request.url ?? '').split('?')
  const query = new URLSearchParams(search.replaceAll('+', '%2B'))
  const claim = claimOf(request, query)
  if (claim === undefined) return 'AccessDenied'
  const { credential, signedHeaders, signature, datetime, payload, seconds } = claim
  const date = datetime.slice(0, 8)
  const scope = `${date}/${s3Credentials.region}/s3/aws4_request`
  if (credential !== `${s3Credentials.accessKey}/${scope}`) return 'InvalidAccessKeyId'
  const age = Date.now() - timeOf(datetime)
  if (!(age > -SKEW_MS && age < seconds * 1000)) return 'RequestTimeTooSkewed'
  if (!signedHeaders.split(';').includes('host')) return 'SignatureDoesNotMatch'
  const isHashed = payload !== 'UNSIGNED-PAYLOAD'
  if (isHashed && payload !== createHash('sha256').update(body).digest('hex')) return 'XAmzContentSHA256Mismatch'
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&')
  const canonicalHeaders = signedHeaders
    .split(';')
    .map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`)
    .join('')
  const canonicalPath = path
    .split('/')
    .map((part) => encoded(decodeURIComponent(part)))
    .join('/')
  const canonical = [request.method, canonicalPath, canonicalQuery, canonicalHeaders, signedHeaders, payload].join('\n')
  const hash = createHash('sha256').update(canonical).digest('hex')
  const text = ['AWS4-HMAC-SHA256', datetime, scope, hash].join('\n')
  const keys = [date, s3Credentials.region, 's3', 'aws4_request']
  const expected = hmac(keys.reduce<string | Buffer>(hmac, `AWS4${s3Credentials.secretKey}`) as Buffer, text)
  return timingSafeEqual(expected, Buffer.from(signature, 'hex')) ? undefined : 'SignatureDoesNotMatch'
}

const refuse = (response: ServerResponse, status: number, code: string): void => {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`)
}

const get = (request: IncomingMessage, response: ServerResponse, object: Buffer | undefined): void => {
  const query = new URL(request.url ?? '', 'http://s3').searchParams
  const disposition = query.get('response-content-disposition')
  const headers = {
    'content-type': query.get('response-content-type') ?? 'binary/octet-stream',
    ...(disposition !== null && { 'content-disposition': disposition }),
  }
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  if (object === undefined) refuse(response, 404, 'NoSuchKey')
  else if (start === undefined || end === undefined) response.writeHead(200, headers).end(object)
  else if (Number(start) >= object.length) refuse(response, 416, 'InvalidRange')
  else response.writeHead(206, headers).end(object.subarray(Number(start), Number(end) + 1))
}

export const startS3TestServer = async ({ bucket }: { bucket: string }): Promise<S3TestServer> => {
  const objects = new Map<string, Buffer>()
  const requests: string[] = []
  const failures: (number | 'reset')[] = []
  const answer = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '')
    requests.push(`${request.method} ${path}`)
    const failure = failures.shift()
    if (failure === 'reset') request.socket.destroy()
    else if (failure !== undefined) refuse(response, failure, 'SlowDown')
    else serve(request, response, { path, body, problem: problemOf(request, body) })
  }
  const serve = (
    request: IncomingMessage,
    response: ServerResponse,
    { path, body, problem }: { path: string; body: Buffer; problem: string | undefined },
  ): void => {
    const key = path.slice(bucket.length + 2)
    if (problem !== undefined) refuse(response, 403, problem)
    else if (!path.startsWith(`/${bucket}/`)) refuse(response, 404, 'NoSuchBucket')
    else if (request.method === 'GET') get(request, response, objects.get(key))
    else if (request.method === 'DELETE') {
      objects.delete(key)
      response.writeHead(204).end()
    } else if (request.method !== 'PUT') refuse(response, 405, 'MethodNotAllowed')
    // The service wants to know how much will come.
    else if (request.headers['content-length'] === undefined) refuse(response, 411, 'MissingContentLength')
    else {
      objects.set(key, body)
      response.writeHead(200).end()
    }
  }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('error', () => {})
    request.on('end', () => answer(request, response, Buffer.concat(parts)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    requests,
    failNext: (...how) => void failures.push(...how),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
