/** The demo says what happened, and by its exit code whether all of it did. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const DEMO = fileURLToPath(new URL('./demo.ts', import.meta.url))
const PATIENCE_MS = 90_000

interface Played {
  readonly code: number | null
  readonly text: string
}

/** @param sabotage runs in the server before it starts */
const play = (sabotage = ''): Promise<Played> => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-demo-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'sabotage.mjs')
  writeFileSync(
    file,
    `import crypto from 'node:crypto'\nimport { syncBuiltinESMExports } from 'node:module'
     if (process.argv.includes('serve')) { ${sabotage} }`,
  )
  const env = { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(file).href}`, NO_COLOR: '1' }
  const child = spawn(process.execPath, [DEMO], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, text })))
}

test('shows each request, the callbacks as they came, the replies, and the conversations', {
  timeout: PATIENCE_MS,
}, async () => {
  const { code, text } = await play()
  expect({ code, missing: text.split('Missing:')[1] }).toEqual({ code: 0, missing: undefined })
  for (const shown of [
    '→ POST /v3/bots',
    '→ POST /v3/messages   onBehalfOf: ann',
    '⇐ POST /callback',
    'webhook-signature: v1,',
    '"trigger": "after_message"',
    '⇒ the bot answers 500',
    '→ POST /v3/bots/helper/messages',
    'helper: You said: Are you awake?',
    'helper: Hello bob!',
    'All of it happened.',
  ])
    expect(text).toContain(shown)
  expect(text).not.toContain('✗')
})

test('fails if something of it is not as it should be, and says what', { timeout: PATIENCE_MS }, async () => {
  const { code, text } = await play(`
    const { createHmac } = crypto
    crypto.createHmac = (algorithm) => createHmac(algorithm, 'another key')
    syncBuiltinESMExports()`)
  expect(code).toBe(1)
  expect(text).toContain('✗ each is signed with the secret of the bot')
  expect(text.split('Missing:')[1]).toContain('each is signed with the secret of the bot')
})

test('fails if the server does not start', { timeout: PATIENCE_MS }, async () => {
  const { code, text } = await play('process.exit(3)')
  expect({ code, text: text.trim().split('\n').at(-1)?.trim() }).toEqual({ code: 1, text: 'the server ended with 3' })
})
