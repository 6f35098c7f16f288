/** The server over TLS, without a proxy: how it starts, what it says of itself, and how its certificate is changed. */
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, get } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type SelfSigned, selfSigned } from '../../src/tls/self-signed.ts'
import { runConfab, temporaryFolder } from '../cli/support.ts'
import { startServer, type TestServer } from '../support/server.ts'

const DAY = 86_400_000

const pairFor = (name: string, from = -DAY, to = 60 * DAY): SelfSigned => {
  const now = Date.now()
  return selfSigned({ name, hosts: ['localhost', '127.0.0.1'], notBeforeMs: now + from, notAfterMs: now + to })
}

const folderWith = ({ cert, key }: SelfSigned) => {
  const folder = temporaryFolder()
  const files = { cert: join(folder, 'x.crt'), key: join(folder, 'x.key') }
  writeFileSync(files.cert, cert)
  writeFileSync(files.key, key)
  return { ...files, folder, env: { CONFAB_TLS_CERT: files.cert, CONFAB_TLS_KEY: files.key } }
}

const start = async (env: Readonly<Record<string, string>>): Promise<TestServer> => {
  const server = await startServer({ engine: 'sqlite', env })
  onTestFinished(() => server.dispose())
  return server
}

const portOf = ({ url }: TestServer): number => Number(new URL(url).port)

const handshake = (server: TestServer): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ port: portOf(server), host: '127.0.0.1', rejectUnauthorized: false }, () =>
      resolve(socket),
    )
    socket.once('error', reject)
    onTestFinished(() => void socket.destroy())
  })

const presented = async (server: TestServer): Promise<string> => {
  const socket = await handshake(server)
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}

const fetched = (url: string, options: object): Promise<{ status: number | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    get(url, options, (answer: IncomingMessage) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      answer.on('end', () => resolve({ status: answer.statusCode, text }))
    }).on('error', reject)
  })

const soon = { timeout: 10_000, interval: 100 }
const events = (server: TestServer): string[] =>
  server.lines.map(({ msg }) => msg).filter((msg) => msg.startsWith('tls.'))

describe('TLS', () => {
  test('speaks https, to who trusts the certificate, and names itself so', async () => {
    const pair = pairFor('one')
    const { env } = folderWith(pair)
    const server = await start(env)
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const headers = { apikey: server.restApiKey, appid: server.appId }
    const { status, text } = await fetched(`${server.url}/v3/settings`, { ca: pair.cert, headers })
    expect([status, JSON.parse(text).data]).toMatchObject([
      200,
      { CLIENT_API_HOST: `127.0.0.1:${portOf(server)}`, CHAT_WSS_PORT: String(portOf(server)) },
    ])
    const named = { ca: pair.cert, servername: 'localhost', headers: { ...headers, host: 'chat.example' } }
    expect(JSON.parse((await fetched(`${server.url}/v3/settings`, named)).text).data.CHAT_WSS_PORT).toBe('443')
    await expect(fetched(`${server.url}/healthz`, {})).rejects.toThrow(/self-signed/)
    const metrics = await fetched(`${server.url}/metrics`, { ca: pair.cert })
    const expiry = Number(/^confab_tls_certificate_expiry_timestamp_seconds (\S+)$/m.exec(metrics.text)?.[1])
    expect(Math.abs(expiry - (Date.now() + 60 * DAY) / 1000)).toBeLessThan(600)
    // Who speaks http to it gets no answer of http, and does no harm.
    await expect(fetch(`http://127.0.0.1:${portOf(server)}/healthz`)).rejects.toThrow()
    expect((await fetched(`${server.url}/healthz`, { ca: pair.cert })).status).toBe(200)
    expect(events(server)).toEqual([])
  })

  test('takes another pair without a restart, however it is put there, and keeps connections', async () => {
    const { cert, key, folder, env } = folderWith(pairFor('one'))
    const server = await start(env)
    const kept = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    onTestFinished(() => {
      kept.destroy()
    })
    const peer = async (): Promise<number | undefined> => {
      const sockets = Object.values(kept.freeSockets).flat()
      return sockets[0]?.localPort
    }
    const ask = async () => (await fetched(`${server.url}/healthz`, { agent: kept })).status
    expect(await ask()).toBe(200)
    await vi.waitFor(async () => expect(await peer()).toBeDefined(), soon)
    const before = await peer()
    expect(await presented(server)).toBe('one')
    // As one who writes.
    const two = pairFor('two')
    writeFileSync(key, two.key)
    writeFileSync(cert, two.cert)
    await vi.waitFor(async () => expect(await presented(server)).toBe('two'), soon)
    // As one who renames.
    const three = pairFor('three')
    for (const [file, text] of [
      [key, three.key],
      [cert, three.cert],
    ] as const) {
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
    }
    await vi.waitFor(async () => expect(await presented(server)).toBe('three'), soon)
    // As one who turns links.
    const four = pairFor('four')
    for (const [file, text] of [
      [key, four.key],
      [cert, four.cert],
    ] as const) {
      const target = join(folder, `four-${file.endsWith('key') ? 'key' : 'crt'}`)
      writeFileSync(target, text)
      rmSync(file)
      symlinkSync(target, file)
    }
    await vi.waitFor(async () => expect(await presented(server)).toBe('four'), soon)
    expect(await ask()).toBe(200)
    expect(await peer()).toBe(before)
    await vi.waitFor(() => expect(events(server)).toEqual(['tls.reloaded', 'tls.reloaded', 'tls.reloaded']), soon)
  }, 60_000)

  test('stays with the pair it has where the new one is of no use, says so once, and takes the next', async () => {
    const { cert, key, env } = folderWith(pairFor('one'))
    const server = await start(env)
    const failures = () => server.lines.filter(({ msg }) => msg === 'tls.reload_failed')
    const two = pairFor('two')
    writeFileSync(cert, two.cert)
    await vi.waitFor(() => expect(failures()).toHaveLength(1), soon)
    expect(failures()[0]).toMatchObject({
      level: 50,
      reason: expect.stringContaining('is not the key of the certificate'),
    })
    expect(await presented(server)).toBe('one')
    const old = pairFor('old', -3 * DAY, -DAY)
    writeFileSync(key, old.key)
    writeFileSync(cert, old.cert)
    await vi.waitFor(() => expect(failures()).toHaveLength(2), soon)
    expect(failures()[1]).toMatchObject({ reason: expect.stringContaining('has expired') })
    expect(await presented(server)).toBe('one')
    writeFileSync(key, two.key)
    writeFileSync(cert, two.cert)
    await vi.waitFor(async () => expect(await presented(server)).toBe('two'), soon)
    expect(failures()).toHaveLength(2)
    expect(server.log.join('\n')).not.toContain('PRIVATE KEY')
  }, 60_000)

  test('says when the certificate is about to expire', async () => {
    const { env } = folderWith(pairFor('short', -DAY, 10 * DAY))
    const server = await start(env)
    expect(events(server)).toEqual(['tls.expires_soon'])
  })

  test('stops at once, whoever is connected and says nothing', async () => {
    const { env } = folderWith(pairFor('one'))
    const server = await start({ ...env, CONFAB_SHUTDOWN_GRACE: '1m' })
    await handshake(server)
    const began = performance.now()
    expect(await server.stop()).toBe(0)
    expect(performance.now() - began).toBeLessThan(5000)
  })

  test('a handshake that is never finished does not keep it from stopping for long', async () => {
    const { env } = folderWith(pairFor('one'))
    const server = await start({ ...env, CONFAB_SHUTDOWN_GRACE: '1m' })
    const socket = connect(portOf(server), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    await new Promise((resolve) => socket.once('connect', resolve))
    expect(await server.stop()).toBe(0)
  }, 30_000)
})

describe('a start with files that are of no use', () => {
  const one = pairFor('one')
  const refused = async (change: (files: ReturnType<typeof folderWith>) => Record<string, string> | undefined) => {
    const files = folderWith(one)
    const env = { ...files.env, CONFAB_PORT: '0', CONFAB_DATA_DIR: temporaryFolder(), ...change(files) }
    const { code, stderr } = await runConfab(['serve'], env)
    return { code, stderr: stderr.replaceAll(files.folder, '') }
  }

  test.each<[string, (files: ReturnType<typeof folderWith>) => Record<string, string> | undefined, string]>([
    ['not there', ({ cert }) => void rmSync(cert), '/x.crt cannot be read (ENOENT).'],
    ['no certificate', ({ cert }) => void writeFileSync(cert, 'x'), '/x.crt holds no certificate in PEM.'],
    [
      'no key',
      ({ cert }) => ({ CONFAB_TLS_KEY: cert, CONFAB_TLS_CERT: cert }),
      '/x.crt holds no private key in PEM, or one with a passphrase.',
    ],
    [
      'of another',
      ({ key }) => void writeFileSync(key, pairFor('x').key),
      '/x.key is not the key of the certificate in /x.crt.',
    ],
  ])('%s', async (_, change, message) => {
    expect(await refused(change)).toEqual({ code: 2, stderr: `confab: ${message}\n` })
  })

  test('expired, or not valid yet', async () => {
    const put = (pair: SelfSigned) => (files: ReturnType<typeof folderWith>) => {
      writeFileSync(files.cert, pair.cert)
      writeFileSync(files.key, pair.key)
      return undefined
    }
    const expired = await refused(put(pairFor('old', -2 * DAY, -DAY)))
    expect(expired).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^confab: The certificate in \/x\.crt has expired \(.*\)\.\n$/),
    })
    expect((await refused(put(pairFor('new', DAY, 2 * DAY)))).stderr).toContain('is not valid yet')
  })

  test('a key with a passphrase', async () => {
    const locked = ({ key }: ReturnType<typeof folderWith>) => {
      const text = execFileSync('openssl', [
        'pkcs8',
        '-topk8',
        '-in',
        key,
        '-passout',
        'pass:hush-hush',
        '-v2',
        'aes-256-cbc',
      ])
      writeFileSync(key, text)
      return undefined
    }
    const { code, stderr } = await refused(locked)
    expect([code, stderr]).toEqual([2, 'confab: /x.key holds no private key in PEM, or one with a passphrase.\n'])
  })

  test('doctor says the same', async () => {
    const files = folderWith(one)
    const env = { ...files.env, CONFAB_PORT: '0', CONFAB_DATA_DIR: temporaryFolder() }
    expect((await runConfab(['doctor'], env)).stdout).toMatch(/^ok {4}TLS: the certificate is good until 2/m)
    writeFileSync(files.key, pairFor('x').key)
    expect((await runConfab(['doctor'], env)).stdout).toMatch(/^FAIL {2}TLS: .*is not the key of the certificate/m)
  })
})
