import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

describeEngines('the program', (engine) => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ engine })
  })
  afterAll(() => server?.dispose())

  test('keeps what it accepted when it is killed, and ends with 0 when it is told to stop', async () => {
    await server.client.createUser({ uid: 'ann', name: 'Ann' })
    const message = await server.client.sendMessage({ receiver: 'ann', receiverType: 'user' }, 'hello')
    const before = server.pid
    await server.kill()
    await server.start()
    expect(server.pid).not.toBe(before)
    expect((await server.client.request('GET', `/messages/${message.id}`)).data).toMatchObject(message)
    expect(await server.stop()).toBe(0)
    expect(server.lines.map(({ msg }) => msg)).toContain('server.stopped')
    await server.start()
    expect((await server.client.request('GET', `/messages/${message.id}`)).data).toMatchObject(message)
  })

  test('a second start of the app with the same keys changes nothing', async () => {
    const keys = await server.client.request('GET', '/apikeys')
    await server.restart()
    expect(await server.client.request('GET', '/apikeys')).toEqual(keys)
  })
})
