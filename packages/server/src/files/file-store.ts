/**
 * Where the bytes of files are. The rows (`storage/sql/messages/files.ts`) say which files there are; bytes without a row are
 * nothing, and a file is put here only when its row is there.
 */
import type { Readable } from 'node:stream'
import type { FileKey } from '../storage/sql/messages/files.ts'

/** Both ends belong to it. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** A file on the local disk, all of it there and synced, that is on its way into the store. */
export interface Received {
  readonly path: string
  readonly size: number
  /** Nothing of it stays; also after it was put. */
  discard(): Promise<void>
}

export interface FileStore {
  readonly engine: 'disk' | 's3'
  /** All or nothing, and durable. `received` is of no use afterwards. */
  put(key: FileKey, received: Received, options: { mimeType: string }): Promise<void>
  /** `undefined`: there are no such bytes. */
  open(key: FileKey, range: ByteRange): Promise<Readable | undefined>
  /** What is not there is removed already. */
  remove(key: FileKey): Promise<void>
  /** Where the bytes are had without us, for a while; not of every store. */
  readonly link?: (key: FileKey, options: { contentType: string; disposition: string }) => Promise<string>
  /** Says what it found; rejects if files could not be stored. */
  check(): Promise<string>
  close(): Promise<void>
}
