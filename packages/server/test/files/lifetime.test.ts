/** How long files stay, whatever happens to their messages and to the server; and what an upload costs it. */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { fetchRaw, filesOnDisk, formOf, sendForm } from '../support/uploads.ts'

const WITHIN = { timeout: 15_000 }

describeEngines('the life of files', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const sendFile = (receiver: string, receiverType = 'user', onBehalfOf = scene.ann): Promise<Json> =>
    sendForm(api, '/messages', formOf({ receiver, receiverType, type: 'file' }, [{ name: 'a.txt', bytes: 'x' }]), {
      onBehalfOf,
    })
  const statusOf = async ({ data }: Json): Promise<number> => (await fetchRaw(data.url)).status
  const isOnDisk = ({ data }: Json): boolean => filesOnDisk(server).includes(data.url.split('/')[5])

  test('a message that is only marked as deleted keeps its file; one that is deleted for good does not', async () => {
    const message = await sendFile(scene.bob)
    await api.ok('DELETE', `/messages/${message.id}`)
    expect([await statusOf(message), isOnDisk(message)]).toEqual([200, true])
    await api.ok('DELETE', `/messages/${message.id}`, { body: { permanent: true } })
    expect(await statusOf(message)).toBe(404)
    await expect.poll(() => isOnDisk(message), WITHIN).toBe(false)
  })

  test('what somebody has sent on stays', async () => {
    const message = await sendFile(scene.bob)
    const body = { ...toUser(scene.cara), type: 'file', data: { attachments: message.data.attachments } }
    const { data: forwarded } = await api.ok('POST', '/messages', { body, onBehalfOf: scene.bob })
    await api.ok('DELETE', `/messages/${message.id}`, { body: { permanent: true } })
    expect(await statusOf(forwarded)).toBe(200)
    await api.ok('DELETE', `/messages/${forwarded.id}`, { body: { permanent: true } })
    expect(await statusOf(forwarded)).toBe(404)
    await expect.poll(() => isOnDisk(forwarded), WITHIN).toBe(false)
  })

  test('files go with a group, and with a user who is deleted for good', async () => {
    await api.ok('POST', '/groups', { body: { guid: 'short', name: 'short' }, onBehalfOf: scene.ann })
    await api.ok('POST', '/users', { body: { uid: 'leaver', name: 'Leaver' } })
    const [inGroup, byLeaver, kept] = [
      await sendFile('short', 'group'),
      await sendFile(scene.bob, 'user', 'leaver'),
      await sendFile(scene.bob),
    ]
    await api.ok('DELETE', '/groups/short')
    await api.ok('DELETE', '/users/leaver', { body: { permanent: true } })
    expect([await statusOf(inGroup), await statusOf(byLeaver), await statusOf(kept)]).toEqual([404, 404, 200])
    await expect.poll(() => [isOnDisk(inGroup), isOnDisk(byLeaver)], WITHIN).toEqual([false, false])
    expect(isOnDisk(kept)).toBe(true)
  })

  /** The head and the first bytes of a form that never ends. */
  const beginUpload = (bytes: number): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
      socket.on('error', reject)
      const form =
        `--x\r\ncontent-disposition: form-data; name="receiver"\r\n\r\n${scene.bob}\r\n` +
        `--x\r\ncontent-disposition: form-data; name="receiverType"\r\n\r\nuser\r\n` +
        `--x\r\ncontent-disposition: form-data; name="files[]"; filename="half.png"\r\n\r\n${'x'.repeat(bytes)}`
      socket.write(
        `POST /v3/messages HTTP/1.1\r\nhost: a\r\napikey: ${server.restApiKey}\r\nappid: ${server.appId}\r\nonbehalfof: ${scene.ann}\r\n` +
          `content-type: multipart/form-data; boundary=x\r\ncontent-length: 10000000\r\n\r\n${form}`,
        () => resolve(socket),
      )
    })
  const countMessages = async (): Promise<number> =>
    (await api.ok('GET', `/users/${scene.bob}/messages`, { query: { limit: 1000 } })).data.length

  test('an upload that breaks off leaves nothing', async () => {
    const [before, count] = [filesOnDisk(server).sort(), await countMessages()]
    const socket = await beginUpload(500_000)
    await expect.poll(() => filesOnDisk(server).length, WITHIN).toBe(before.length + 1)
    socket.destroy()
    await expect.poll(() => filesOnDisk(server).sort(), WITHIN).toEqual(before)
    expect(await countMessages()).toBe(count)
  })

  test('a server that is killed in the middle of an upload has served nothing of it, and goes on', async () => {
    const kept = await sendFile(scene.bob)
    const [before, count] = [filesOnDisk(server).sort(), await countMessages()]
    const socket = await beginUpload(500_000)
    await expect.poll(() => filesOnDisk(server).length, WITHIN).toBe(before.length + 1)
    await server.kill()
    socket.destroy()
    await server.start()
    // Several nodes may write to one folder: there, what is left half-way goes a day later.
    if (engine === 'sqlite') expect(filesOnDisk(server).sort()).toEqual(before)
    const half = filesOnDisk(server).find((name) => !before.includes(name))
    if (half !== undefined) {
      expect((await fetchRaw(`${server.url}/files/${server.appId}/${half}/half.png`)).status).toBe(404)
    }
    expect(await countMessages()).toBe(count)
    expect((await fetchRaw(`${server.url}${new URL(kept.data.url).pathname}`)).status).toBe(200)
    expect(await statusOf({ data: { url: (await sendFile(scene.bob)).data.url } })).toBe(200)
  })

  /** What the process holds at most, in bytes, since it was last asked to forget. */
  const peakMemory = (): number =>
    1024 * Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1] ?? 0)

  test.runIf(process.platform === 'linux')('a large file is never held in memory, neither way', async () => {
    const bytes = Buffer.alloc(96 * 1024 * 1024, 'large ')
    const before = peakMemory()
    const form = formOf({ receiver: scene.bob, receiverType: 'user' }, [{ name: 'large.bin', bytes }])
    const message = await sendForm(api, '/messages', form, { onBehalfOf: scene.ann })
    expect(message.data.attachments[0].size).toBe(bytes.length)
    expect((await fetchRaw(message.data.url)).bytes.equals(bytes)).toBe(true)
    // V8 looks for buffers to free when some 64 MB of them have gone by, however large the file is.
    expect(peakMemory() - before).toBeLessThan(bytes.length)
  })
})
