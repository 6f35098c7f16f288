/** The whole way with files in a bucket. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3TestServer, s3Credentials, startS3TestServer } from '../../src/testing/s3-server.ts'
import { Api, type Json } from '../support/api.ts'
import { makeScene, type Scene } from '../support/scene.ts'
import { startServer, type TestServer } from '../support/server.ts'
import { fetchRaw, filesOnDisk, formOf, postForm, sendForm } from '../support/uploads.ts'

const bucket = 'confab-files'

describe.each([
  ['through the server', 'false'],
  ['by links to the bucket', 'true'],
])('files in S3, %s', (_, redirect) => {
  let s3: S3TestServer
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    s3 = await startS3TestServer({ bucket })
    server = await startServer({
      engine: 'sqlite',
      env: {
        CONFAB_FILES_S3_ENDPOINT: s3.endpoint,
        CONFAB_FILES_S3_BUCKET: bucket,
        CONFAB_FILES_S3_REGION: s3Credentials.region,
        CONFAB_FILES_S3_ACCESS_KEY: s3Credentials.accessKey,
        CONFAB_FILES_S3_SECRET_KEY: s3Credentials.secretKey,
        CONFAB_FILES_S3_PREFIX: 'chat/',
        CONFAB_FILES_S3_REDIRECT: redirect,
      },
    })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(async () => {
    await server?.dispose()
    await s3?.close()
  })

  const form = (name = 'a.html') =>
    formOf({ receiver: scene.bob, receiverType: 'user' }, [{ name, bytes: '<b>hello</b>' }])
  const send = (name?: string): Promise<Json> => sendForm(api, '/messages', form(name), { onBehalfOf: scene.ann })

  test('upload, fetch, a part, deletion; nothing stays on the disk', async () => {
    const message = await send()
    const id = message.data.url.split('/')[5]
    expect([...s3.objects]).toEqual([[`chat/${server.appId}/${id}`, Buffer.from('<b>hello</b>')]])
    expect(filesOnDisk(server)).toEqual([])
    const response = await fetch(message.data.url)
    expect([response.status, await response.text()]).toEqual([200, '<b>hello</b>'])
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('content-disposition')).toMatch(/^attachment;/)
    const first = await fetchRaw(message.data.url, { headers: { range: 'bytes=3-7' } })
    if (redirect === 'true') {
      expect(first.status).toBe(302)
      expect(first.headers.location).toContain(`${s3.endpoint}/${bucket}/chat/`)
      expect(first.headers['cache-control']).toBe('private, max-age=240')
    } else expect([first.status, first.bytes.toString()]).toEqual([206, 'hello'])
    await api.ok('DELETE', `/messages/${message.id}`, { body: { permanent: true } })
    await expect.poll(() => s3.objects.size, { timeout: 15_000 }).toBe(0)
  })

  test('a message that is refused leaves nothing in the bucket', async () => {
    const refused = formOf({ receiver: 'nobody', receiverType: 'user' }, [{ name: 'a', bytes: 'x' }])
    expect((await postForm(api, '/messages', refused, { onBehalfOf: scene.ann })).status).toBe(404)
    expect(s3.objects.size).toBe(0)
  })

  test('a bucket that is away: the sender is told, nothing is sent, and it comes back', async () => {
    s3.failNext(503, 503, 503)
    const { status, json } = await postForm(api, '/messages', form(), { onBehalfOf: scene.ann })
    expect([status, json.error.code]).toEqual([503, 'ERR_SERVICE_UNAVAILABLE'])
    expect(filesOnDisk(server)).toEqual([])
    await expect.poll(() => server.lines.some(({ msg }) => msg === 'files.store_failed')).toBe(true)
    const { data } = await send('a.png')
    expect((await fetch(data.url)).status).toBe(200)
    expect(server.log.join('\n')).not.toContain(s3Credentials.secretKey)
  })
})
