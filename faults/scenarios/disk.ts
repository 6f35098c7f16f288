/** What befalls the file of the embedded store. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'

const PIECE = Buffer.alloc(64 * 1024, 1)

/** Until there is no room for another byte. */
const fill = (file: string): void => {
  const descriptor = openSync(file, 'w')
  try {
    for (let size = PIECE.length; size >= 1; size = Math.floor(size / 16)) {
      try {
        for (;;) writeSync(descriptor, PIECE, 0, size)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      }
    }
  } finally {
    closeSync(descriptor)
  }
}

const diskFull: Scenario = {
  name: 'disk-full',
  faults: 'F04',
  what: 'the disk is full for a while: what was accepted survives, what was refused is not there',
  engines: ['sqlite'],
  storage: 'small-disk',
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F04 disk full')
      const file = join(run.storage.dataDir ?? '', 'filler')
      fill(file)
      await run.writing(300, 900)
      const isKilled = run.random() < 0.3
      if (isKilled) await run.server.end('SIGKILL')
      rmSync(file)
      if (isKilled) {
        run.injected('F04 kill −9 with a full disk')
        await run.start()
      }
    }),
}

const whileLocked = async (run: Run, statement: string, minMs: number, maxMs: number): Promise<void> => {
  const other = new DatabaseSync(join(run.storage.dataDir ?? '', 'confab.sqlite'))
  try {
    other.exec('PRAGMA busy_timeout = 2000')
    other.exec(statement)
    await run.writing(minMs, maxMs)
    other.exec('ROLLBACK')
  } finally {
    other.close()
  }
}

const locked: Scenario = {
  name: 'file-locked',
  faults: 'F05',
  what: 'another process holds the write lock of the file, for less than the store waits for it',
  engines: ['sqlite'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F05 file locked for a while')
      await whileLocked(run, 'BEGIN IMMEDIATE', 200, 1500)
    }),
}

const lockedLong: Scenario = {
  name: 'file-locked-long',
  faults: 'F05',
  what: 'another process holds the write lock for longer than the store waits: requests fail, and nothing of them is there',
  engines: ['sqlite'],
  shortLease: true,
  inject: (run) =>
    run.chronicle.disturbed(async () => {
      run.injected('F05 file locked for too long')
      await whileLocked(run, 'BEGIN IMMEDIATE', 5300, 6000)
    }),
}

export const disks: readonly Scenario[] = [diskFull, locked, lockedLong]
