/**
 * Forms (`multipart/form-data`) as they come in. Fields are collected, files handed on as streams: nothing of a file is
 * held here but what its reader has not taken yet.
 */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import { tooLarge } from '../files/receive.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'

export interface FormFile {
  readonly field: string
  /** As the client has it: anything. */
  readonly name: string | undefined
  readonly mimeType: string | undefined
  readonly chunks: Readable
}

export type FormFields = ReadonlyMap<string, readonly string[]>

export interface FormOptions {
  /** Of the whole body. */
  readonly maxBytes: number
  readonly maxFiles: number
  readonly maxFieldBytes: number
  /** Takes the file to its end. `fields`: those that came before it. */
  readonly onFile: (file: FormFile, fields: FormFields) => Promise<void>
  /** Whoever sends nothing for so long is gone. */
  readonly idleMs?: number
}

const FIELDS_MAX = 200
const IDLE_MS = 30_000

export const isForm = (contentType: string | undefined): boolean =>
  /^multipart\/form-data\s*(;|$)/i.test(contentType ?? '')

const makeParser = (contentType: string, { maxFiles, maxFieldBytes }: FormOptions) => {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        fieldSize: maxFieldBytes,
        fields: FIELDS_MAX,
        files: maxFiles,
        headerPairs: 50,
        headerSize: 16 * 1024,
      },
      preservePath: true,
    })
  } catch {
    // There is no boundary.
    throw new AppError('ERR_UNSUPPORTED_MEDIA_TYPE')
  }
}

/** Answers the fields when all files are taken. Rejects at the first problem, when all readers of files have ended. */
export const readForm = async (incoming: IncomingMessage, options: FormOptions): Promise<FormFields> => {
  const { maxBytes, maxFiles, maxFieldBytes, onFile, idleMs = IDLE_MS } = options
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw tooLarge('body', maxBytes)
  const parser = makeParser(incoming.headers['content-type'] ?? '', options)
  const fields = new Map<string, string[]>()
  const readers: Promise<void>[] = []
  const open = new Set<Readable>()
  const ended = Promise.withResolvers<void>()
  let failure: Error | undefined
  let total = 0

  const fail = (error: Error): void => {
    if (failure !== undefined) return
    failure = error
    incoming.unpipe(parser)
    for (const stream of open) stream.destroy(error)
    ended.reject(error)
  }
  const idle = setTimeout(() => {
    fail(badRequest({ body: 'did not come to its end' }))
    incoming.destroy()
  }, idleMs)
  const onData = (chunk: Buffer): void => {
    idle.refresh()
    total += chunk.length
    if (total > maxBytes) fail(tooLarge('body', maxBytes))
  }
  const onGone = (): void => {
    if (!incoming.complete) fail(badRequest({ body: 'did not come to its end' }))
  }

  parser.on('field', (name, value, _nameTruncated, isTruncated) => {
    if (isTruncated) fail(tooLarge(name, maxFieldBytes))
    else fields.set(name, [...(fields.get(name) ?? []), value])
  })
  parser.on('file', (field, chunks, name: string | undefined, _encoding, mimeType) => {
    // A stream that ends early says so here too; its reader hears of it.
    chunks.on('error', () => {})
    open.add(chunks)
    const reader = onFile({ field, name, mimeType, chunks }, fields).finally(() => open.delete(chunks))
    readers.push(reader)
    reader.catch(fail)
  })
  parser.on('filesLimit', () =>
    fail(new AppError('ERR_INVALID_MEDIA_MESSAGE', { details: { files: `must not be more than ${maxFiles}` } })),
  )
  parser.on('fieldsLimit', () => fail(badRequest({ body: `must not have more than ${FIELDS_MAX} fields` })))
  parser.on('error', () => fail(badRequest({ body: 'must be a whole multipart/form-data form' })))
  parser.on('finish', () => ended.resolve())
  incoming.on('data', onData)
  incoming.on('error', onGone)
  incoming.on('close', onGone)
  incoming.pipe(parser)
  try {
    await ended.promise
    await Promise.all(readers)
    return fields
  } catch (error) {
    await Promise.allSettled(readers)
    throw error
  } finally {
    clearTimeout(idle)
    incoming.off('data', onData)
    incoming.off('close', onGone)
    // What is left of it is of no interest, and must not be waited for.
    if (failure !== undefined) incoming.resume()
  }
}
