/** Files from when they have come in until a message has them, or they go. */
import { type AppId, type Attachment, limits } from '@confab/protocol'
import type { Actor } from '../kernel/actor.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { FileKey, NewFile, StoredFile } from '../storage/sql/messages/files.ts'
import type { Store } from '../storage/store.ts'
import { extensionOf, filePath } from './file.ts'
import type { FileStore, Received } from './file-store.ts'

/** What is told of a file beside its bytes. */
export interface Described {
  readonly name: string
  readonly mimeType: string
}

export interface Incoming extends Described {
  readonly received: Received
}

export const attachmentOf = (
  origin: string,
  file: Pick<StoredFile, 'appId' | 'id' | 'name' | 'mimeType' | 'size'>,
): Attachment => ({
  url: origin + filePath(file),
  name: file.name,
  mimeType: file.mimeType,
  extension: extensionOf(file.name),
  size: file.size,
})

export interface KeepFiles {
  /**
   * Stores the files, and calls `use` with what a message says of them. What no message has when that is over, however
   * it ends, goes at once.
   */
  during<T>(
    input: { actor: Actor; origin: string; incoming: readonly Incoming[] },
    use: (attachments: readonly Attachment[]) => Promise<T>,
  ): Promise<T>
  /** One step of the sweeper: files that no message has and whose time is over. Answers how many went. */
  sweep(limit: number): Promise<number>
  /** One step of the removal of an app whose files have all expired. Answers how many went. */
  removeOf(appId: AppId, limit: number): Promise<number>
}

export const makeKeepFiles = (deps: {
  store: Pick<Store, 'files' | 'appRemoval'>
  files: FileStore
  clock: Clock
  ids: Pick<Ids, 'file'>
  log: Logger
}): KeepFiles => {
  const { store, files, clock, ids, log } = deps
  const now = (): number => toSeconds(clock.now())

  /** Bytes before rows: what has a row can be found again. Of those that fail, the rows stay. */
  const removeBytes = async (keys: readonly FileKey[]): Promise<number> => {
    const results = await Promise.allSettled(keys.map((key) => files.remove(key)))
    const gone = keys.filter((_, index) => results[index]?.status === 'fulfilled')
    if (gone.length > 0) await store.files.forget({ files: gone, now: now() })
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
    return gone.length
  }

  const dropUnused = async (keys: readonly FileKey[]): Promise<void> => {
    try {
      await removeBytes(await store.files.release({ files: keys, now: now() }))
    } catch (error) {
      log.warn({ err: error, consequence: 'the sweeper tries again' }, 'files.drop_failed')
    }
  }

  const putAll = async (rows: readonly NewFile[], incoming: readonly Incoming[]): Promise<void> => {
    // All of them come to an end before any is removed: what is put later would be nobody's.
    const results = await Promise.allSettled(
      incoming.map(async ({ mimeType, received }, index) => {
        const key = rows[index]
        if (key !== undefined) await files.put(key, received, { mimeType })
      }),
    )
    const failure = results.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  return {
    during: async ({ actor, origin, incoming }, use) => {
      if (incoming.length === 0) return use([])
      const rows = incoming.map(
        ({ name, mimeType, received }): NewFile => ({
          appId: actor.appId,
          id: ids.file(),
          name,
          mimeType,
          size: received.size,
          uploadToken: null,
        }),
      )
      await store.files.add({ actor, files: rows, now: now(), expiresAt: now() + limits.unusedFileSeconds })
      try {
        await putAll(rows, incoming)
        return await use(rows.map((row) => attachmentOf(origin, row)))
      } finally {
        await dropUnused(rows)
      }
    },

    sweep: async (limit) => removeBytes(await store.files.expired({ now: now(), limit })),

    removeOf: async (appId, limit) => removeBytes(await store.appRemoval.files({ appId, limit })),
  }
}
