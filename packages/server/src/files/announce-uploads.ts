/**
 * Uploads ahead of their message: a client announces files, gets for each the attachment that it will be and a form to
 * upload it with, and sends the message when they are there.
 *
 * The form carries a token that is kept with the announcement: it is drawn at random, works once and for an hour, and
 * what may be uploaded with it was said when it was made. So there is nothing that could be changed on the way.
 */
import { type AnnouncedUpload, type AnnounceUploads, errorCodes, limits } from '@confab/protocol'
import type { Actor } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { FileKey, NewFile, StoredFile } from '../storage/sql/messages/files.ts'
import type { Store } from '../storage/store.ts'
import { fileNameOf, mimeTypeOf } from './file.ts'
import type { FileStore, Received } from './file-store.ts'
import { attachmentOf } from './keep-files.ts'
import { tooLarge } from './receive.ts'

export type Announced = Readonly<Record<string, AnnouncedUpload>>

export interface Uploads {
  announce(input: { actor: Actor; origin: string; body: AnnounceUploads }): Promise<Announced>
  /** What was announced; `ERR_FILE_NOT_FOUND` for everything else, and when it is too late. */
  expected(key: FileKey, token: string): Promise<StoredFile>
  /** The file is there: once. */
  complete(file: StoredFile, token: string, received: Received): Promise<void>
}

const failureOf = ({ code, details }: AppError): AnnouncedUpload => ({
  error: { code, message: errorCodes[code].meaning, ...(details !== undefined && { details }) },
})

export const makeUploads = (deps: {
  store: Pick<Store, 'files'>
  files: FileStore
  clock: Clock
  ids: Pick<Ids, 'file'>
  maxFileBytes: number
  maxFiles: number
}): Uploads => {
  const { store, files, clock, ids, maxFileBytes, maxFiles } = deps
  const now = (): number => toSeconds(clock.now())
  const notFound = (): AppError => new AppError('ERR_FILE_NOT_FOUND')

  const problemOf = (size: number): AppError | undefined => {
    if (size === 0) return new AppError('ERR_EMPTY_MESSAGE_FILE', { details: { size: 'must not be 0' } })
    return size > maxFileBytes ? tooLarge('size', maxFileBytes) : undefined
  }

  return {
    announce: async ({ actor, origin, body }) => {
      const given = Object.entries(body.files)
      if (given.length > maxFiles) {
        throw badRequest({ files: `must not be more than ${maxFiles}` })
      }
      const expiresAt = now() + limits.uploadSeconds
      const rows: NewFile[] = []
      const answers = given.map(([fileId, { name: givenName, mimeType, size }]): [string, AnnouncedUpload] => {
        const problem = problemOf(size)
        if (problem !== undefined) return [fileId, failureOf(problem)]
        const name = fileNameOf(givenName)
        const token = ids.file()
        const key = { appId: actor.appId, id: ids.file() }
        const row = { ...key, name, mimeType: mimeTypeOf(mimeType, name), size }
        rows.push({ ...row, uploadToken: token })
        const url = `${origin}/files/${key.appId}/${key.id}`
        return [
          fileId,
          { request: { url, method: 'POST', body: { token } }, attachment: attachmentOf(origin, row), expiresAt },
        ]
      })
      await store.files.add({ actor, files: rows, now: now(), expiresAt })
      return Object.fromEntries(answers)
    },

    expected: async (key, token) => {
      const file = await store.files.findAnnounced({ ...key, token, now: now() })
      if (file === undefined) throw notFound()
      return file
    },

    complete: async (file, token, received) => {
      const { appId, id, size, mimeType } = file
      if (received.size !== size) throw badRequest({ file: `must be of ${size} bytes, as announced` })
      // Of two that come at once, one is stored: the row is taken before the bytes are put.
      const expiresAt = now() + limits.unusedFileSeconds
      if (!(await store.files.complete({ appId, id, token, now: now(), expiresAt }))) throw notFound()
      try {
        await files.put(file, received, { mimeType })
      } catch (error) {
        // No message shall have a file that is not there.
        await store.files.release({ files: [file], now: now() })
        throw error
      }
    },
  }
}
