/**
 * Files where browsers fetch them, and where announced ones are uploaded. No key is asked for: whoever knows the address
 * was given it. What somebody has uploaded is never run as if it were ours: see the headers.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { parseAppId } from '@confab/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Uploads } from '../files/announce-uploads.ts'
import { rangeOf } from '../files/byte-range.ts'
import { isFileId, presentationOf } from '../files/file.ts'
import type { FileStore, Received } from '../files/file-store.ts'
import type { Receiver } from '../files/receive.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { FileKey, StoredFile } from '../storage/sql/messages/files.ts'
import type { Store } from '../storage/store.ts'
import { readForm } from './form.ts'

export interface FilesDeps {
  readonly store: Pick<Store, 'files'>
  readonly files: FileStore
  readonly uploads: Uploads
  readonly receiver: Receiver
  readonly clock: Clock
  readonly maxUploadBytes: number
}

/** There is but the token. */
const TOKEN_FIELD_BYTES = 16 * 1024

const anyOrigin = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'accept-ranges, content-disposition, content-length, content-range, etag',
  'cross-origin-resource-policy': 'cross-origin',
} as const

/** Of uploads: they are not to be guessed at, and reach nothing of ours. */
const harmless = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; sandbox",
} as const

const YEAR_SECONDS = 31_536_000
/** Less than a link is good for. */
const LINK_CACHE_SECONDS = 240

const keyOf = (params: unknown): FileKey => {
  const { appId = '', id = '' } = params as { appId?: string; id?: string }
  if (!isFileId(id)) throw new AppError('ERR_FILE_NOT_FOUND')
  return { appId: parseAppId(appId), id }
}

const etagOf = ({ id }: StoredFile): string => `"${id}"`

const isUnchanged = (headers: IncomingHttpHeaders, file: StoredFile): boolean => {
  const tags = headers['if-none-match']
  if (tags !== undefined) {
    return tags.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etagOf(file))
  }
  const since = Date.parse(headers['if-modified-since'] ?? '')
  return file.createdAt * 1000 <= since
}

/** Whether the part that is asked for is of what the client has. */
const isSame = ({ 'if-range': ifRange }: IncomingHttpHeaders, file: StoredFile): boolean =>
  ifRange === undefined || ifRange === etagOf(file) || Date.parse(String(ifRange)) === file.createdAt * 1000

const headersOf = (file: StoredFile): Record<string, string> => ({
  etag: etagOf(file),
  'last-modified': new Date(file.createdAt * 1000).toUTCString(),
  'cache-control': `public, max-age=${YEAR_SECONDS}, immutable`,
  'accept-ranges': 'bytes',
})

const sendFile = async (
  files: FileStore,
  file: StoredFile,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> => {
  const { contentType, disposition } = presentationOf(file)
  reply.headers(headersOf(file))
  if (isUnchanged(request.headers, file)) return reply.code(304).send()
  if (files.link !== undefined) {
    reply.header('cache-control', `private, max-age=${LINK_CACHE_SECONDS}`)
    return reply.redirect(await files.link(file, { contentType, disposition }), 302)
  }
  const asked = isSame(request.headers, file) ? rangeOf(request.headers.range, file.size) : undefined
  if (asked === 'unsatisfiable') {
    return reply.code(416).header('content-range', `bytes */${file.size}`).header('cache-control', 'no-store').send()
  }
  const range = asked ?? { start: 0, end: file.size - 1 }
  const bytes = request.method === 'HEAD' ? undefined : await files.open(file, range)
  if (bytes === undefined && request.method !== 'HEAD') {
    reply.header('cache-control', 'no-store')
    throw new AppError('ERR_FILE_NOT_FOUND')
  }
  reply
    .code(asked === undefined ? 200 : 206)
    .header('content-type', contentType)
    .header('content-disposition', disposition)
    .header('content-length', range.end - range.start + 1)
  if (asked !== undefined) reply.header('content-range', `bytes ${range.start}-${range.end}/${file.size}`)
  return reply.send(bytes)
}

export const registerFiles = (app: FastifyInstance, deps: FilesDeps): void => {
  const { store, files, uploads, receiver, clock, maxUploadBytes } = deps

  app.route({
    method: ['GET', 'HEAD'],
    url: '/files/:appId/:id/:name',
    handler: async (request, reply) => {
      reply.headers({ ...anyOrigin, ...harmless })
      const file = await store.files.find({ ...keyOf(request.params), now: toSeconds(clock.now()) })
      if (file === undefined) throw new AppError('ERR_FILE_NOT_FOUND')
      return sendFile(files, file, request, reply)
    },
  })

  app.route({
    method: 'POST',
    url: '/files/:appId/:id',
    config: { takesForm: true },
    handler: async (request, reply) => {
      reply.headers(anyOrigin)
      const key = keyOf(request.params)
      const came: { file: StoredFile; token: string; received: Received }[] = []
      try {
        await readForm(request.raw, {
          maxBytes: maxUploadBytes,
          maxFiles: 1,
          maxFieldBytes: TOKEN_FIELD_BYTES,
          onFile: async ({ field, chunks }, fields) => {
            const token = fields.get('token')?.at(-1) ?? ''
            const file = await uploads.expected(key, token)
            came.push({ file, token, received: await receiver.receive(chunks, { field, bytes: file.size }) })
          },
        })
        const [upload] = came
        if (upload === undefined) throw badRequest({ file: 'is required, after the fields of the form' })
        await uploads.complete(upload.file, upload.token, upload.received)
      } finally {
        for (const { received } of came) await received.discard()
      }
      return reply.code(204).send()
    },
  })

  for (const url of ['/files/:appId/:id', '/files/:appId/:id/:name']) {
    app.route({
      method: 'OPTIONS',
      url,
      handler: (request, reply) => {
        const asked = request.headers['access-control-request-headers']
        reply
          .headers(anyOrigin)
          .header('access-control-allow-methods', 'GET, HEAD, POST')
          .header('access-control-allow-headers', asked ?? '*')
          .header('access-control-max-age', '86400')
          .code(204)
          .send()
      },
    })
  }
}
