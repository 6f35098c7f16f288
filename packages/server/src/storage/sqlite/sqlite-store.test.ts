import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '../conformance/store-conformance.ts'
import { loweredLimits } from '../conformance/subject.ts'
import { openSqliteStore } from './sqlite-store.ts'

storeConformance('SQLite', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'confab-store-'))
  const { store } = await openSqliteStore({ dataDir: join(dataDir, 'store') })
  const { store: low } = await openSqliteStore({ dataDir: join(dataDir, 'low'), limits: loweredLimits })
  return {
    store,
    peer: store,
    lowered: { store: low, peer: low },
    close: async () => {
      await Promise.all([store.close(), low.close()])
      rmSync(dataDir, { recursive: true })
    },
  }
})
