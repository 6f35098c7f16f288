/** The bot of README works as README says: its user and its secret by the lines there, its code as it stands there. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Message } from '@confab/protocol'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../packages/server/src/testing/free-port.ts'
import { startServer } from '../packages/server/test/support/server.ts'
import { interpreterOf, runShell, snippetsIn, startProgram } from './snippets.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

describe.skipIf(interpreterOf('curl', 'curl') === undefined)('the bot of README', () => {
  test('is made, started and spoken to', async () => {
    const server = await startServer({ engine: 'sqlite' })
    onTestFinished(() => server.dispose())
    const port = await freePort()
    const asHere = (code: string): string =>
      code.replaceAll('http://127.0.0.1:4000', server.url).replaceAll('8080', String(port))
    const codeOf = (title: string): string => {
      const code = snippetsIn(readme).find((snippet) => snippet.title === title)?.code
      if (code === undefined) throw new Error(`README has no ${title}`)
      return asHere(code)
    }
    const keys = { CONFAB_REST_API_KEY: server.restApiKey }
    const [, bot = ''] = (await runShell(codeOf('make-parrot.sh'), keys)).trim().split('\n')
    const secret = JSON.parse(bot).data.signingSecret
    expect(secret).toMatch(/^whsec_/)

    const folder = mkdtempSync(join(tmpdir(), 'confab-readme-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'parrot.ts'), codeOf('parrot.ts'))
    const env = { ...keys, BOT_SIGNING_SECRET: secret }
    const program = await startProgram({ command: process.execPath, args: ['parrot.ts'], cwd: folder, env, port })
    onTestFinished(() => program.stop())

    await server.client.createUser({ uid: 'ann', name: 'Ann' })
    await server.client.sendMessage({ receiver: 'parrot', receiverType: 'user' }, 'Hello!', { onBehalfOf: 'ann' })
    await vi.waitFor(
      async () => {
        const { data } = await server.client.request<Message[]>('GET', '/users/parrot/messages', { onBehalfOf: 'ann' })
        expect(data.map((message) => message.data.text)).toEqual(['Hello!', 'You said: Hello!'])
      },
      { timeout: 10_000, interval: 50 },
    )
  })
})
