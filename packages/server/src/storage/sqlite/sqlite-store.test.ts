import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '../conformance/store-conformance.ts'
import { openSqliteStore } from './sqlite-store.ts'

storeConformance('SQLite', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'confab-store-'))
  const { store } = await openSqliteStore({ dataDir })
  return {
    store,
    peer: store,
    close: async () => {
      await store.close()
      rmSync(dataDir, { recursive: true })
    },
  }
})
