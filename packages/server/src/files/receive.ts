/** Files on their way in: written to the disk as they come, never held in memory. */
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../kernel/app-error.ts'
import type { Ids } from '../kernel/ids.ts'
import { makeFolder } from '../kernel/make-folder.ts'
import type { Received } from './file-store.ts'

/** In the data folder, whatever the store: a file is stored when all of it is there. */
const folderOf = (dataDir: string): string => join(dataDir, 'files', 'incoming')

export const tooLarge = (field: string, bytes: number): AppError =>
  new AppError('ERR_PAYLOAD_TOO_LARGE', { details: { [field]: `must not be larger than ${bytes} bytes` } })

export interface Receiver {
  /** Rejects with `ERR_PAYLOAD_TOO_LARGE`, or as the chunks do; nothing stays then. */
  receive(chunks: AsyncIterable<Uint8Array>, limit: { field: string; bytes: number }): Promise<Received>
  /** Removes what processes that died have left, if it is older than this. */
  sweep(beforeMs: number): Promise<number>
}

export const makeReceiver = ({ dataDir, ids }: { dataDir: string; ids: Pick<Ids, 'file'> }): Receiver => {
  const folder = folderOf(dataDir)
  const write = async (
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    limit: { field: string; bytes: number },
  ): Promise<number> => {
    const handle = await open(path, 'wx', 0o600)
    try {
      let size = 0
      for await (const chunk of chunks) {
        size += chunk.length
        if (size > limit.bytes) throw tooLarge(limit.field, limit.bytes)
        await handle.writeFile(chunk)
      }
      await handle.sync()
      return size
    } finally {
      await handle.close()
    }
  }
  return {
    receive: async (chunks, limit) => {
      await makeFolder(folder)
      const path = join(folder, ids.file())
      const discard = (): Promise<void> => rm(path, { force: true })
      try {
        return { path, size: await write(path, chunks, limit), discard }
      } catch (error) {
        await discard()
        throw error
      }
    },

    sweep: async (beforeMs) => {
      const names = await readdir(folder).catch(() => [])
      let swept = 0
      for (const name of names) {
        const path = join(folder, name)
        const found = await stat(path).catch(() => undefined)
        if (found === undefined || found.mtimeMs >= beforeMs) continue
        await rm(path, { force: true })
        swept++
      }
      return swept
    },
  }
}
