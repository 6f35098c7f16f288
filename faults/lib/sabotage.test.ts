/** The harness can fail: a run whose history was spoiled is found, by its exit code and in words. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../run.ts', import.meta.url))

const run = (...args: readonly string[]): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    const all = [PROGRAM, '--seed', '11', '--runs', '1', '--only', 'receiver-resets', ...args]
    execFile(process.execPath, all, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr })
    })
  })

test('a run that nobody spoiled is good', { timeout: 120_000 }, async () => {
  const { code, output } = await run()
  expect(output).toMatch(/ 0 {2}runs with a problem/)
  expect(code).toBe(0)
})

test.each([
  ['lose', /^ +1 lost: bot-/m],
  ['invent', /^ +1 phantom: bot-. nobody-sent-this /m],
  ['swap', /^ +\d+ reordered: bot-/m],
  ['repeat', /^ +1 needless: bot-/m],
])('a history spoiled by “%s” is found', { timeout: 120_000 }, async (sabotage, found) => {
  const { code, output } = await run('--sabotage', sabotage)
  expect(output).toMatch(found)
  expect(output).toMatch(/npm run faults -- --engine sqlite --seed \d+ --runs 1/)
  expect(code).toBe(1)
})
