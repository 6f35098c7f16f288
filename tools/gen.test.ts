import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorCodes } from '@confab/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { generated, staleFiles, writeFiles } from './gen.ts'
import { unusedCodes } from './unused-codes.ts'

test('a stale or missing file is named, a fresh one is not', async () => {
  const root = mkdtempSync(join(tmpdir(), 'confab-gen-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const paths = generated.map(({ path }) => path)
  expect(await staleFiles(root, generated)).toEqual(paths)
  await writeFiles(root, generated)
  expect(await staleFiles(root, generated)).toEqual([])
  appendFileSync(join(root, 'docs/reference/errors.md'), '\n')
  expect(await staleFiles(root, generated)).toEqual(['docs/reference/errors.md'])
})

test('what is in the repository is fresh', async () => {
  const root = fileURLToPath(new URL('..', import.meta.url))
  expect(await staleFiles(root, generated)).toEqual([])
})

test('every error code is documented, and every documented code exists', async () => {
  const text = (await generated.find(({ path }) => path === 'docs/reference/errors.md')?.render()) ?? ''
  expect([...text.matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code)).toEqual(Object.keys(errorCodes))
})

test('no code is both answered and not', () => {
  expect(Object.keys(unusedCodes).filter((code) => Object.hasOwn(errorCodes, code))).toEqual([])
})
