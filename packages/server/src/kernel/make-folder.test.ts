import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { makeFolder } from './make-folder.ts'

const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-folder-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

it('makes a folder and those above it, and says which was the first', async () => {
  const root = temporaryFolder()
  expect(await makeFolder(join(root, 'a', 'b', 'c'), 0o700)).toBe(join(root, 'a'))
  for (const name of ['a', 'a/b', 'a/b/c']) expect(statSync(join(root, name)).mode & 0o777).toBe(0o700)
  expect(await makeFolder(join(root, 'a', 'b', 'd'))).toBe(join(root, 'a', 'b', 'd'))
  expect(await makeFolder(join(root, 'a', 'b', 'c'))).toBeUndefined()
  const here = relative(process.cwd(), join(root, 'e', 'f'))
  expect(await makeFolder(here)).toBe(relative(process.cwd(), join(root, 'e')))
  expect(statSync(join(root, 'e', 'f')).isDirectory()).toBe(true)
})

it('that several make at once is there for each of them', async () => {
  const path = join(temporaryFolder(), 'a', 'b', 'c')
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(path)))
  expect(statSync(path).isDirectory()).toBe(true)
})

it('fails with what the system says where there can be none', async () => {
  const root = temporaryFolder()
  writeFileSync(join(root, 'file'), '')
  await expect(makeFolder(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(root, 'file', 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  mkdirSync(join(root, 'there'))
  await expect(makeFolder(join(root, 'there', 'x'.repeat(300)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
})

it.runIf(existsSync('/proc/self'))('ends where the system takes no folders', async () => {
  for (const path of ['/proc/nope', '/proc/nope/a/b']) {
    await expect(makeFolder(path)).rejects.toMatchObject({ code: 'ENOENT', path: '/proc/nope' })
  }
})
