import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startNats } from './nats.ts'
import { freshDatabase, startPostgres } from './postgres.ts'
import { describeWithNats, describeWithPostgres } from './services.ts'
import { findProgram, startServer } from './services-child.ts'
import { provideOne } from './services-setup.ts'

const ask = async (url: string, statement: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

test('a program that is nowhere is not found', () => {
  expect(findProgram('no-such-program', ['/usr/bin'])).toBeUndefined()
  expect(findProgram('sh', [])).toMatch(/\/sh$/)
})

test('a program that does not start is given up, with what it said', async () => {
  const program = {
    command: '/no/such/program',
    args: [],
    signal: 'KILL',
    ready: /ready/,
    failed: /not found/,
  } as const
  const started = startServer(
    () => '',
    () => program,
  )
  await expect(started).rejects.toThrow(/did not start: .*not found/)
})

test('a service that is not installed is absent, or fails the run that requires it', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  onTestFinished(() => {
    warn.mockRestore()
    vi.unstubAllEnvs()
  })
  const missing = { name: 'some', url: undefined, start: async () => ({ missing: 'some is not installed' }) }
  vi.stubEnv('CONFAB_TEST_REQUIRE', 'other')
  expect(await provideOne(missing, [])).toBeUndefined()
  expect(warn).toHaveBeenCalledExactlyOnceWith('Tests that need some are skipped: some is not installed.')
  vi.stubEnv('CONFAB_TEST_REQUIRE', 'other, some')
  await expect(provideOne(missing, [])).rejects.toThrow('some is not installed')
  expect(await provideOne({ ...missing, url: 'nats://elsewhere' }, [])).toBe('nats://elsewhere')
})

describeWithPostgres('PostgreSQL', (adminUrl) => {
  test('a fresh database is empty, one’s own, and gone after drop, also when in use', async () => {
    const [one, two] = await Promise.all([freshDatabase(adminUrl), freshDatabase(adminUrl)])
    await ask(one.url, 'CREATE TABLE mine (id int)')
    await expect(ask(two.url, 'SELECT * FROM mine')).rejects.toThrow(/does not exist/)
    const inUse = new pg.Client({ connectionString: two.url })
    inUse.on('error', () => {})
    await inUse.connect()
    await Promise.all([one.drop(), two.drop()])
    await expect(ask(one.url, 'SELECT 1')).rejects.toThrow(/does not exist/)
    await expect(ask(two.url, 'SELECT 1')).rejects.toThrow(/does not exist/)
  })

  test('a server of one’s own crashes, starts again with its data, and leaves nothing behind', async ({ skip }) => {
    const server = await startPostgres()
    if ('missing' in server) return skip(server.missing)
    onTestFinished(() => server.stop())
    const [settings] = await ask(server.url, "SELECT current_setting('data_directory') AS folder")
    const { folder } = settings as { folder: string }
    expect(existsSync(folder)).toBe(true)
    await ask(server.url, 'CREATE TABLE kept (id int)')
    await server.crash()
    await expect(ask(server.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/)
    await server.start()
    expect(await ask(server.url, 'SELECT * FROM kept')).toEqual([])
    // Also when it is not running.
    await server.crash()
    await server.stop()
    await expect(ask(server.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/)
    expect(existsSync(dirname(folder))).toBe(false)
  })
})

describeWithNats('NATS', () => {
  const greeting = async (port: number): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    const [data] = await once(socket, 'data')
    socket.destroy()
    return String(data)
  }

  test('a server of one’s own crashes and starts again on its port', async ({ skip }) => {
    const server = await startNats()
    if ('missing' in server) return skip(server.missing)
    onTestFinished(() => server.stop())
    expect(await greeting(server.port)).toMatch(/^INFO /)
    await server.crash()
    await expect(greeting(server.port)).rejects.toThrow(/ECONNREFUSED/)
    await server.start()
    expect(await greeting(server.port)).toMatch(/^INFO /)
  })
})
