import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AppId } from '@confab/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { fileStoreConformance } from '../conformance/file-store-conformance.ts'
import { openDiskFileStore } from './disk-file-store.ts'

fileStoreConformance('disk', async (dataDir) => ({ store: openDiskFileStore({ dataDir }), close: async () => {} }))

const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'confab-files-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

test('no key leads out of the folder', async () => {
  const store = openDiskFileStore({ dataDir: await folder() })
  const id = 'a'.repeat(40)
  for (const [appId, name] of [
    ['..', id],
    ['a/b', id],
    ['', id],
    ['app', '../../../etc/passwd'],
    ['app', `${id}/..`],
    ['app', ''],
    ['app', `${id}\0`],
  ] as const) {
    const key = { appId: appId as AppId, id: name }
    await expect(store.open(key, { start: 0, end: 1 })).rejects.toThrow('makes no path')
    await expect(async () => store.remove(key)).rejects.toThrow('makes no path')
  }
})

test('a folder that is none, or takes nothing, is noticed', async () => {
  const dataDir = await folder()
  await openDiskFileStore({ dataDir }).check()
  expect((await readdir(join(dataDir, 'files'), { recursive: true })).sort()).toEqual(['incoming', 'stored'])
  await rm(join(dataDir, 'files'), { recursive: true })
  await writeFile(join(dataDir, 'files'), 'in the way')
  await expect(openDiskFileStore({ dataDir }).check()).rejects.toThrow(/ENOTDIR|EEXIST/)
  if (process.getuid?.() === 0) return
  await rm(join(dataDir, 'files'))
  await chmod(dataDir, 0o500)
  await expect(openDiskFileStore({ dataDir }).check()).rejects.toThrow('EACCES')
})
