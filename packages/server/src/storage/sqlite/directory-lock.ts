/**
 * One process per data directory. Two would each run the callbacks of the other's lanes. The lock is the operating
 * system's, on a file of its own that nobody else has a reason to open: it is gone with the process, however it
 * ended, and it leaves the data file readable for backups.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export class DirectoryInUseError extends Error {
  constructor(directory: string) {
    super(`The data directory ${directory} is in use by another Confab process.`)
    this.name = 'DirectoryInUseError'
  }
}

export const lockDirectory = (directory: string): { release(): void } => {
  const lock = new DatabaseSync(join(directory, 'confab.lock'))
  try {
    lock.exec(
      'PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (by_pid INTEGER); COMMIT',
    )
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if (error instanceof Error && /locked|busy/.test(error.message)) throw new DirectoryInUseError(directory)
    throw error
  }
  return { release: () => lock.close() }
}
