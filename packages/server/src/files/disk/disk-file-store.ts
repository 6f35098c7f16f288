/** Files in the data folder, in folders by the first digits of their ids. */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../kernel/make-folder.ts'
import type { FileKey } from '../../storage/sql/messages/files.ts'
import { isFileId } from '../file.ts'
import type { FileStore } from '../file-store.ts'

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/** A new name is durable when its folder is; so is a new folder. */
const syncFolder = async (path: string): Promise<void> => {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export const openDiskFileStore = ({ dataDir }: { dataDir: string }): FileStore => {
  const root = join(dataDir, 'files')
  const pathOf = ({ appId, id }: FileKey): string => {
    // Both come from rows that we wrote; a path is made of nothing else.
    if (!/^[A-Za-z0-9_-]+$/.test(appId) || !isFileId(id)) throw new Error('a file whose key makes no path')
    return join(root, 'stored', appId, id.slice(0, 2), id)
  }
  return {
    engine: 'disk',

    put: async (key, received) => {
      const path = pathOf(key)
      const folder = dirname(path)
      const first = await makeFolder(folder)
      await rename(received.path, path)
      await syncFolder(folder)
      if (first === undefined) return
      for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
    },

    open: async (key, { start, end }) => {
      try {
        const handle = await open(pathOf(key), 'r')
        return handle.createReadStream({ start, end })
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },

    remove: (key) => rm(pathOf(key), { force: true }),

    check: async () => {
      const [incoming, stored] = [join(root, 'incoming'), join(root, 'stored')]
      const name = `.check-${randomUUID()}`
      await makeFolder(incoming)
      await makeFolder(stored)
      const handle = await open(join(incoming, name), 'wx')
      await handle.close()
      await rename(join(incoming, name), join(stored, name))
      await rm(join(stored, name))
      return `in ${root}`
    },

    close: async () => {},
  }
}
