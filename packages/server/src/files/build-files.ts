/** The parts that have to do with files, from what they are made of. */
import type { Limits } from '@confab/protocol'
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Store } from '../storage/store.ts'
import { makeUploads, type Uploads } from './announce-uploads.ts'
import type { FileStore } from './file-store.ts'
import { type KeepFiles, makeKeepFiles } from './keep-files.ts'
import { makeReceiver, type Receiver } from './receive.ts'

export interface FileParts {
  readonly files: FileStore
  readonly receiver: Receiver
  readonly keep: KeepFiles
  readonly uploads: Uploads
}

export const buildFiles = (
  config: { dataDir: string; maxFileBytes: number; limits: Pick<Limits, 'attachmentsPerMessage'> },
  parts: { store: Pick<Store, 'files' | 'appRemoval'>; files: FileStore; clock: Clock; ids: Ids; log: Logger },
): FileParts => ({
  files: parts.files,
  receiver: makeReceiver({ ...config, ids: parts.ids }),
  keep: makeKeepFiles(parts),
  uploads: makeUploads({ ...parts, maxFileBytes: config.maxFileBytes, maxFiles: config.limits.attachmentsPerMessage }),
})
