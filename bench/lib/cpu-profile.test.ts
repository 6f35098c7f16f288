import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { printProfiles } from './cpu-profile.ts'

const nodes = [
  ['(root)', ''],
  ['(idle)', ''],
  ['(program)', ''],
  ['(garbage collector)', ''],
  ['pump', 'file:///srv/confab/packages/server/src/delivery/dispatcher.ts'],
  ['', 'file:///srv/confab/packages/server/src/delivery/dispatcher.ts'],
  ['parse', 'file:///srv/confab/node_modules/@scope/parser/lib/index.js'],
  ['write', 'node:net'],
].map(([functionName = '', url = ''], id) => ({ id, callFrame: { functionName, url, lineNumber: 9 } }))

const print = (profile: object): string[] => {
  const directory = mkdtempSync(join(tmpdir(), 'confab-profile-'))
  const lines: string[] = []
  const spy = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line.trim()))
  onTestFinished(() => {
    spy.mockRestore()
    rmSync(directory, { recursive: true })
  })
  writeFileSync(join(directory, 'one.cpuprofile'), JSON.stringify(profile))
  writeFileSync(join(directory, 'one.json'), 'not a profile')
  printProfiles(directory)
  return lines
}

test('a profile is summed up by owner and by function, by the share of the time in which something ran', () => {
  // By sample: what ran, and for how long. Node 9 is not listed.
  const samples = [4, 4, 5, 6, 7, 3, 1, 2, 0, 9]
  const timeDeltas = [300_000, 100_000, 200_000, 200_000, 100_000, 100_000, 500_000, 300_000, 100_000, 100_000]
  expect(print({ nodes, samples, timeDeltas })).toEqual([
    'profile one.cpuprofile: busy 1.0 s of 2.0 s',
    'by owner',
    '60.0 %  confab delivery',
    '20.0 %  @scope/parser',
    '10.0 %  node:net',
    '10.0 %  (garbage collector)',
    'by function, self time',
    '40.0 %  pump packages/server/src/delivery/dispatcher.ts:10',
    '20.0 %  (anonymous) packages/server/src/delivery/dispatcher.ts:10',
    '20.0 %  parse node_modules/@scope/parser/lib/index.js:10',
    '10.0 %  write node:net:10',
    '10.0 %  (garbage collector)',
  ])
})
