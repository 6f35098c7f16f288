/** Where a run keeps its data, and what the runs share for that: a PostgreSQL of their own, a small disk. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freshDatabase, startPostgres } from '../../packages/server/src/testing/postgres.ts'
import type { ThrowAwayServer } from '../../packages/server/src/testing/services-child.ts'

export type Engine = 'sqlite' | 'postgres'

/** `small-disk`: a file system of its own that can be filled. `own-database-server`: one that may be crashed. */
export type StorageKind = 'plain' | 'small-disk' | 'own-database-server'

export interface Storage {
  readonly settings: Readonly<Record<string, string>>
  readonly dataDir: string | undefined
  readonly databaseUrl: string | undefined
  /** Of PostgreSQL; nobody else uses it if the run asked for one of its own. */
  readonly databaseServer: ThrowAwayServer | undefined
  discard(): Promise<void>
}

/** The log of the store grows to 32 MB before it is written back: more than that, or it would fill the disk by itself. */
const DISK_MB = 48

const onFolder = (directory: string): Storage => {
  const dataDir = join(directory, 'data')
  mkdirSync(dataDir)
  return {
    settings: { CONFAB_DATA_DIR: dataDir },
    dataDir,
    databaseUrl: undefined,
    databaseServer: undefined,
    discard: async () => {},
  }
}

const onSmallDisk = (directory: string): Storage => {
  const folder = onFolder(directory)
  const { dataDir = '' } = folder
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'confab-faults', dataDir], { stdio: 'pipe' })
  return {
    ...folder,
    discard: async () => {
      execFileSync('umount', ['-l', dataDir])
    },
  }
}

/** Why no small disk can be had here; nothing, if one can. */
export const smallDiskProblem = (directory: string): string | undefined => {
  try {
    const storage = onSmallDisk(directory)
    void storage.discard()
    rmSync(join(directory, 'data'), { recursive: true, force: true })
    return undefined
  } catch (error) {
    return `no tmpfs may be mounted here (${String(error).split('\n').at(-2) ?? error})`
  }
}

export class Engines {
  readonly #started = new Map<string, Promise<ThrowAwayServer>>()
  /** Whose turn it is with the database server that is crashed. */
  #turn: Promise<void> = Promise.resolve()

  async open(engine: Engine, kind: StorageKind, directory: string): Promise<Storage> {
    if (engine === 'sqlite') return kind === 'small-disk' ? onSmallDisk(directory) : onFolder(directory)
    const done = kind === 'own-database-server' ? await this.#takeTurn() : undefined
    const databaseServer = await this.#server(kind)
    const database = await freshDatabase(databaseServer.url)
    return {
      settings: { CONFAB_DATABASE_URL: database.url },
      dataDir: undefined,
      databaseUrl: database.url,
      databaseServer,
      discard: async () => {
        await database.drop().finally(done)
      },
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#started.values()].map(async (server) => (await server).stop()))
  }

  #server(kind: StorageKind): Promise<ThrowAwayServer> {
    const name = kind === 'own-database-server' ? 'crashed' : 'shared'
    const server =
      this.#started.get(name) ??
      startPostgres().then((started) => {
        if ('missing' in started) throw new Error(started.missing)
        return started
      })
    this.#started.set(name, server)
    return server
  }

  async #takeTurn(): Promise<() => void> {
    const mine = Promise.withResolvers<void>()
    const before = this.#turn
    this.#turn = mine.promise
    await before
    return mine.resolve
  }
}
