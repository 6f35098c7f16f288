/** Files that are announced, uploaded by a form, and then sent. */
import { defaultLimits, limits } from '@confab/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { fetchRaw, filesOnDisk } from '../support/uploads.ts'

const MAX_FILE = 4096

describeEngines('announced uploads', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine, env: { CONFAB_MAX_FILE_SIZE: '4KB' } })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const announce = async (files: Json, options: object = { onBehalfOf: scene.ann }): Promise<Json> =>
    (await api.ok('POST', '/files/upload-url', { ...options, body: { files, receiver: 'bob', receiverType: 'user' } }))
      .data

  const one = async (file: object = {}): Promise<Json> =>
    (await announce({ f: { fileId: 'f', name: 'a.png', size: 5, mimeType: 'image/png', ...file } })).f

  /** As the SDK does: the fields it was given, then the file. */
  const upload = (
    { request }: Json,
    content: string,
    { fields = request.body, fileFirst = false }: { fields?: Record<string, string>; fileFirst?: boolean } = {},
  ) => {
    const form = new FormData()
    if (fileFirst) form.append('file', new Blob([content]), 'evil.html')
    for (const [name, value] of Object.entries<string>(fields)) form.append(name, value)
    if (!fileFirst) form.append('file', new Blob([content]), 'evil.html')
    return fetch(request.url, { method: request.method, body: form })
  }

  const codeOf = async (response: Response): Promise<string> => ((await response.json()) as Json).error.code

  test('announce, upload, send: by a user, for several files, some of which are refused', async () => {
    const { authToken: token } = (await api.ok('POST', `/users/${scene.ann}/auth_tokens`)).data
    const files = {
      good: { fileId: 'good', name: '../Ä.PNG', size: 5, mimeType: 'image/png' },
      plain: { name: 'b.txt', size: 3 },
      empty: { name: 'c', size: 0 },
      large: { name: 'd', size: MAX_FILE + 1 },
    }
    const data = await announce(files, { token })
    expect(data.good).toEqual({
      request: { url: expect.any(String), method: 'POST', body: { token: expect.stringMatching(/^[0-9a-f]{40}$/) } },
      attachment: {
        url: expect.stringContaining(`${server.url}/files/${server.appId}/`),
        ...{ name: 'Ä.PNG', mimeType: 'image/png', extension: 'png', size: 5 },
      },
      expiresAt: expect.any(Number),
    })
    const inSeconds = data.good.expiresAt - Date.now() / 1000
    expect(Math.abs(inSeconds - limits.uploadSeconds)).toBeLessThan(30)
    expect(data.plain.attachment).toMatchObject({ mimeType: 'text/plain', extension: 'txt' })
    expect(data.empty.error).toMatchObject({ code: 'ERR_EMPTY_MESSAGE_FILE' })
    expect(data.large.error).toMatchObject({
      code: 'ERR_PAYLOAD_TOO_LARGE',
      details: { size: `must not be larger than ${MAX_FILE} bytes` },
    })
    expect((await fetchRaw(data.good.attachment.url)).status).toBe(404)
    const response = await upload(data.good, 'hello')
    expect([response.status, await response.text()]).toEqual([204, ''])
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    const body = { ...toUser(scene.bob), type: 'image', data: { attachments: [data.good.attachment] } }
    const { data: message } = await api.ok('POST', '/messages', { token, body })
    expect(message.data).toMatchObject({ attachments: [data.good.attachment], url: data.good.attachment.url })
    const { status, bytes, headers } = await fetchRaw(message.data.url)
    // What was announced counts, not what the form says of the file.
    expect([status, bytes.toString(), headers['content-type']]).toEqual([200, 'hello', 'image/png'])
  })

  test('a form works once, also of two that come at the same time', async () => {
    const announced = await one()
    const responses = await Promise.all([upload(announced, 'first'), upload(announced, 'other')])
    expect(responses.map(({ status }) => status).sort()).toEqual([204, 404])
    expect(await codeOf(await upload(announced, 'again'))).toBe('ERR_FILE_NOT_FOUND')
    const winner = responses[0]?.status === 204 ? 'first' : 'other'
    expect((await fetchRaw(announced.attachment.url)).bytes.toString()).toBe(winner)
  })

  test('only with its token, for its file, of its size; what was refused may be tried again', async () => {
    const [announced, other] = [await one(), await one()]
    const before = filesOnDisk(server)
    const refusals: [Promise<Response>, string][] = [
      [upload(announced, 'hello', { fields: {} }), 'ERR_FILE_NOT_FOUND'],
      [upload(announced, 'hello', { fields: { token: '' } }), 'ERR_FILE_NOT_FOUND'],
      [
        upload(announced, 'hello', { fields: { token: `${announced.request.body.token.slice(1)}0` } }),
        'ERR_FILE_NOT_FOUND',
      ],
      [upload(announced, 'hello', { fields: other.request.body }), 'ERR_FILE_NOT_FOUND'],
      [upload(announced, 'hello', { fileFirst: true }), 'ERR_FILE_NOT_FOUND'],
      [upload(announced, 'hell'), 'ERR_BAD_REQUEST'],
      [upload(announced, ''), 'ERR_BAD_REQUEST'],
      [upload(announced, 'hello!'), 'ERR_PAYLOAD_TOO_LARGE'],
      [upload(announced, 'x'.repeat(100_000)), 'ERR_PAYLOAD_TOO_LARGE'],
      [
        upload(
          { request: { ...announced.request, url: announced.request.url.replace(/\w{40}$/, '0'.repeat(40)) } },
          'hello',
        ),
        'ERR_FILE_NOT_FOUND',
      ],
      [upload({ request: { ...announced.request, url: `${announced.request.url}0` } }, 'hello'), 'ERR_FILE_NOT_FOUND'],
      [fetch(announced.request.url, { method: 'POST', body: new FormData() }), 'ERR_BAD_REQUEST'],
      [fetch(announced.request.url, { method: 'POST', body: '{}' }), 'ERR_UNSUPPORTED_MEDIA_TYPE'],
    ]
    for (const [response, code] of refusals) expect(await codeOf(await response)).toBe(code)
    expect(filesOnDisk(server)).toEqual(before)
    expect((await upload(announced, 'hello')).status).toBe(204)
    expect((await upload(other, 'world')).status).toBe(204)
  })

  test('who may announce, and what', async () => {
    const files = { f: { name: 'a', size: 1 } }
    const path = '/files/upload-url'
    await api.fails('AUTH_ERR_EMPTY_APIKEY', 'POST', path, { key: null, body: { files } })
    await api.fails('AUTH_ERR_NO_ACCESS', 'POST', path, { key: server.authKey, body: { files } })
    await api.fails('ERR_UID_NOT_FOUND', 'POST', path, { onBehalfOf: 'nobody', body: { files } })
    for (const wrong of [
      {},
      { files: [] },
      { files: { f: 1 } },
      { files: { f: { name: 'a' } } },
      { files: { f: { size: 1 } } },
    ])
      await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: wrong })
    for (const size of [-1, 1.5, '1', null])
      await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: { files: { f: { name: 'a', size } } } })
    const many = Object.fromEntries(
      Array.from({ length: defaultLimits.attachmentsPerMessage + 1 }, (_, n) => [`f${n}`, files.f]),
    )
    await api.fails('ERR_BAD_REQUEST', 'POST', path, { body: { files: many } })
    expect(await announce({})).toEqual({})
  })

  test('the token never reaches the log', async () => {
    const announced = await one()
    await upload(announced, 'hello')
    await expect.poll(() => server.log.some((line) => line.includes('"/files/:appId/:id"'))).toBe(true)
    expect(server.log.join('\n')).not.toContain(announced.request.body.token)
  })
})
