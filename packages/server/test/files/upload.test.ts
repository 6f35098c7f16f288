/** Messages that come as forms, with their files. */
import { defaultLimits } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api, type Json } from '../support/api.ts'
import { makeScene, type Scene, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { fetchRaw, filesOnDisk, formOf, postForm, refusedForm, sendForm, type Upload } from '../support/uploads.ts'

const image: Upload = { name: 'cat.PNG', type: 'image/png', bytes: 'not quite an image' }
const note: Upload = { name: 'note.txt', bytes: 'a note' }

const MAX_FILE = 64 * 1024
const MAX_UPLOAD = 160 * 1024

describeEngines('messages as forms', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({
      engine,
      env: { CONFAB_MAX_FILE_SIZE: `${MAX_FILE}B`, CONFAB_MAX_UPLOAD_SIZE: `${MAX_UPLOAD}B` },
    })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  const to = (uid: string, more: Record<string, string | string[]> = {}) => ({
    ...{ receiver: uid, receiverType: 'user', category: 'message', type: 'image' },
    ...more,
  })
  const textOf = async (url: string): Promise<string> => (await fetchRaw(url)).bytes.toString()

  test('as the SDK sends them: files, caption, metadata, tags and muid', async () => {
    const { ann, bob } = scene
    const data = JSON.stringify({ text: 'look <@uid:bob>', metadata: { album: 1 } })
    const form = formOf(to(bob, { data, caption: 'not this', 'tags[]': ['a', 'b'], muid: '_m1' }), [image, note])
    const message = await sendForm(api, '/messages', form, { onBehalfOf: ann })
    expect(message).toMatchObject({
      ...{ sender: ann, receiver: bob, category: 'message', type: 'image', muid: '_m1', tags: ['a', 'b'] },
      data: { text: 'look <@uid:bob>', metadata: { album: 1 } },
    })
    const { attachments, url } = message.data
    expect(attachments).toEqual([
      { url: expect.any(String), name: 'cat.PNG', mimeType: 'image/png', extension: 'png', size: image.bytes.length },
      { url: expect.any(String), name: 'note.txt', mimeType: 'text/plain', extension: 'txt', size: note.bytes.length },
    ])
    expect(url).toBe(attachments[0].url)
    expect(url).toMatch(new RegExp(`^${server.url}/files/${server.appId}/[0-9a-f]{40}/cat\\.png$`))
    expect(await Promise.all(attachments.map((one: Json) => textOf(one.url)))).toEqual([image.bytes, note.bytes])
    // It is an ordinary message from here on.
    expect((await api.ok('GET', `/messages/${message.id}`)).data).toEqual({ ...message, receipts: { data: [] } })
    expect(filesOnDisk(server).length).toBeGreaterThanOrEqual(2)
  })

  test('with any field name, with the type that the first file has, with a caption of its own', async () => {
    const { ann, bob } = scene
    for (const [field, name, type] of [
      ['file', 'a.mp4', 'video'],
      ['files', 'a.mp3', 'audio'],
      ['files[0]', 'a.zip', 'file'],
    ] as const) {
      const fields = { receiver: bob, receiverType: 'user', caption: 'hear, see', metadata: '{"k":[1]}', tags: '["t"]' }
      const message = await sendForm(api, '/messages', formOf(fields, [{ name, bytes: 'x', field }]), {
        onBehalfOf: ann,
      })
      expect(message).toMatchObject({ type, tags: ['t'], data: { text: 'hear, see', metadata: { k: [1] } } })
      expect(message.data.attachments).toHaveLength(1)
    }
  })

  test('by users with their tokens, in threads, by bots, and to several receivers at once', async () => {
    const { ann, bob, cara, bot } = scene
    const { authToken: token } = (await api.ok('POST', `/users/${ann}/auth_tokens`)).data
    const mine = await sendForm(api, '/messages', formOf(to(bob), [image]), { token })
    expect(mine).toMatchObject({ sender: ann })
    const reply = await sendForm(api, `/messages/${mine.id}/thread`, formOf(to(ann), [image]), { onBehalfOf: bob })
    expect(reply).toMatchObject({ parentId: mine.id, sender: bob })
    const other = await sendForm(api, '/messages', formOf(to(ann, { parentMessageId: mine.id }), [image]), {
      onBehalfOf: bob,
    })
    expect(other.parentId).toBe(mine.id)
    const ofBot = await sendForm(api, `/bots/${bot}/messages`, formOf(to(ann), [image]))
    expect(ofBot).toMatchObject({ sender: bot, data: { attachments: [{ name: 'cat.PNG' }] } })
    const fields = { type: 'image', multipleReceivers: JSON.stringify({ uids: [bob, cara, 'nobody'] }) }
    const sent = await sendForm(api, '/messages', formOf(fields, [image]), { onBehalfOf: ann })
    const urls = [sent.uids[bob], sent.uids[cara]].map((one: Json) => one.data.data.url)
    expect(urls[0]).toBe(urls[1])
    expect(await textOf(urls[0])).toBe(image.bytes)
    expect(sent.uids.nobody).toMatchObject({ success: false })
  })

  test('without a file: attachments by url, as older SDKs send them, and other messages', async () => {
    const { ann, bob } = scene
    const attachments = [{ url: 'https://x.example/a.png', name: 'a.png' }]
    const byUrl = formOf(to(bob, { data: JSON.stringify({ url: '', attachments }) }))
    const message = await sendForm(api, '/messages', byUrl, { onBehalfOf: ann })
    expect(message.data).toMatchObject({ attachments, url: 'https://x.example/a.png' })
    const both = formOf(to(bob, { data: JSON.stringify({ attachments: [{ url: '' }, ...attachments] }) }), [note])
    const mixed = await sendForm(api, '/messages', both, { onBehalfOf: ann })
    expect(mixed.data.attachments.map((one: Json) => one.name)).toEqual(['note.txt', 'a.png'])
    const plain = formOf({ receiver: bob, receiverType: 'user', data: '{"text":"hi"}' })
    expect(await sendForm(api, '/messages', plain, { onBehalfOf: ann })).toMatchObject({ type: 'text' })
  })

  test('the same muid again means the first message, and its files are not kept twice', async () => {
    const { ann, bob } = scene
    const send = () => sendForm(api, '/messages', formOf(to(bob, { muid: '_twice' }), [image]), { onBehalfOf: ann })
    const first = await send()
    const before = filesOnDisk(server).length
    expect((await send()).data).toEqual(first.data)
    expect(filesOnDisk(server)).toHaveLength(before)
    expect(await textOf(first.data.url)).toBe(image.bytes)
  })

  describe('names', () => {
    test.each([
      ['../../../etc/passwd', 'passwd', '', 'passwd'],
      ['C:\\Users\\me\\report.PDF', 'report.PDF', 'pdf', 'report.pdf'],
      ['..', 'file', '', 'file'],
      ['', 'file', '', 'file'],
      ['Zürich 猫 "a"\'; x=1.png', 'Zürich 猫 "a"\'; x=1.png', 'png', 'Z_rich_22a_22_x_1.png'],
      [`${'x'.repeat(300)}.jpeg`, `${'x'.repeat(95)}.jpeg`, 'jpeg', `${'x'.repeat(40)}.jpeg`],
      ['line\r\nset-cookie: a=b.gif', 'line%0D%0Aset-cookie: a=b.gif', 'gif', 'line_0D_0Aset-cookie_a_b.gif'],
      ['.htaccess', '.htaccess', 'htaccess', '_.htaccess'],
    ])('%j', async (given, name, extension, inUrl) => {
      const { ann, bob } = scene
      const form = formOf(to(bob), [{ name: given, bytes: 'x' }])
      const [attachment] = (await sendForm(api, '/messages', form, { onBehalfOf: ann })).data.attachments
      // The writer of forms escapes some of it: what it wrote is the name.
      expect(attachment.name.replaceAll('%22', '"')).toBe(name)
      expect(attachment.extension).toBe(extension)
      expect(attachment.url.split('/').at(-1)).toBe(inUrl)
      const { status, headers, bytes } = await fetchRaw(attachment.url)
      expect([status, bytes.toString()]).toEqual([200, 'x'])
      expect(headers['set-cookie']).toBeUndefined()
      const [, encoded = ''] = /filename\*=UTF-8''([\w%!.~-]+)$/.exec(headers['content-disposition'] ?? '') ?? []
      expect(decodeURIComponent(encoded).replaceAll('%22', '"')).toBe(name)
      expect(headers['content-disposition']).toMatch(/^(inline|attachment); filename="[\w. -]+"; filename\*=/)
    })
  })

  describe('what is refused leaves nothing', () => {
    const cases: [string, (scene: Scene) => FormData, string, object?][] = [
      ['a receiver that is not there', () => formOf(to('nobody'), [image]), 'ERR_UID_NOT_FOUND'],
      ['no receiver', () => formOf({ type: 'image' }, [image]), 'ERR_EMPTY_RECEIVER'],
      [
        'a group that the sender has not joined',
        () => formOf({ ...to('quiet'), receiverType: 'group' }, [image]),
        'ERR_GROUP_NOT_JOINED',
      ],
      [
        'a type that there is not',
        ({ bob }) => formOf(to(bob, { type: 'smell' }), [image]),
        'ERR_INVALID_MESSAGE_TYPE',
      ],
      ['data that are no JSON', ({ bob }) => formOf(to(bob, { data: '{' }), [image]), 'ERR_INVALID_MESSAGE_DATA'],
      ['data that are no object', ({ bob }) => formOf(to(bob, { data: '[]' }), [image]), 'ERR_INVALID_MESSAGE_DATA'],
      ['metadata that are no JSON', ({ bob }) => formOf(to(bob, { metadata: 'x' }), [image]), 'ERR_INVALID_METADATA'],
      ['data that pollute', ({ bob }) => formOf(to(bob, { data: '{"__proto__":{}}' }), [image]), 'ERR_BAD_REQUEST'],
      ['data with NUL', ({ bob }) => formOf(to(bob, { data: '{"text":"\\u0000"}' }), [image]), 'ERR_BAD_REQUEST'],
      ['a receiver with NUL', () => formOf(to('a\0b'), [image]), 'ERR_BAD_REQUEST'],
      ['a tag that is too long', ({ bob }) => formOf(to(bob, { tags: 'x'.repeat(101) }), [image]), 'ERR_BAD_REQUEST'],
      ['an empty file', ({ bob }) => formOf(to(bob), [image, { name: 'e', bytes: '' }]), 'ERR_EMPTY_MESSAGE_FILE'],
      ['no file', ({ bob }) => formOf(to(bob)), 'ERR_EMPTY_MESSAGE_FILE'],
      [
        'a file that is too large',
        ({ bob }) => formOf(to(bob), [image, { name: 'l', bytes: 'x'.repeat(MAX_FILE + 1) }]),
        'ERR_PAYLOAD_TOO_LARGE',
        { 'files[]': `must not be larger than ${MAX_FILE} bytes` },
      ],
      [
        'files that are too large together',
        ({ bob }) => formOf(to(bob), Array(3).fill({ name: 'l', bytes: 'x'.repeat(MAX_FILE) })),
        'ERR_PAYLOAD_TOO_LARGE',
        { body: `must not be larger than ${MAX_UPLOAD} bytes` },
      ],
      [
        'too many files',
        ({ bob }) => formOf(to(bob), Array(defaultLimits.attachmentsPerMessage + 1).fill(note)),
        'ERR_INVALID_MEDIA_MESSAGE',
      ],
    ]
    test.each(cases)('%s', async (_, make, code, details) => {
      await api.call('POST', '/groups', { body: { guid: 'quiet', name: 'quiet' } })
      const before = filesOnDisk(server).sort()
      const refused = await refusedForm(api, '/messages', make(scene), { onBehalfOf: scene.ann })
      expect(refused.code).toBe(code)
      if (details !== undefined) expect(refused.details).toEqual(details)
      expect(filesOnDisk(server).sort()).toEqual(before)
    })

    test('a file as large as it may be, and files as many as they may be, are taken', async () => {
      const { ann, bob } = scene
      const large = formOf(to(bob), [{ name: 'l', bytes: 'x'.repeat(MAX_FILE) }])
      expect((await sendForm(api, '/messages', large, { onBehalfOf: ann })).data.attachments[0].size).toBe(MAX_FILE)
      const many = formOf(to(bob), Array(defaultLimits.attachmentsPerMessage).fill(note))
      const sent = await sendForm(api, '/messages', many, { onBehalfOf: ann })
      expect(sent.data.attachments).toHaveLength(defaultLimits.attachmentsPerMessage)
    })

    test('callers who may not, before anything is read; forms where none is taken', async () => {
      const form = () => formOf(to(scene.bob), [image])
      const before = filesOnDisk(server)
      const withKey = (apikey: string) => refusedForm(api, '/messages', form(), { headers: { apikey } })
      expect((await withKey('unknown')).code).toBe('AUTH_ERR_APIKEY_NOT_FOUND')
      expect((await withKey(server.authKey)).code).toBe('AUTH_ERR_NO_ACCESS')
      expect((await refusedForm(api, '/messages', form(), { onBehalfOf: 'nobody' })).code).toBe('ERR_UID_NOT_FOUND')
      expect((await refusedForm(api, '/users', form())).code).toBe('ERR_UNSUPPORTED_MEDIA_TYPE')
      expect((await refusedForm(api, '/bots/nobody/messages', form())).code).toBe('ERR_BOT_NOT_FOUND')
      expect(filesOnDisk(server)).toEqual(before)
    })

    test.each([
      ['no boundary', 'multipart/form-data', 'x', 'ERR_UNSUPPORTED_MEDIA_TYPE'],
      ['nothing', 'multipart/form-data; boundary=x', '', 'ERR_BAD_REQUEST'],
      ['no form', 'multipart/form-data; boundary=x', '{"a":1}', 'ERR_BAD_REQUEST'],
      [
        'a form that breaks off',
        'multipart/form-data; boundary=x',
        '--x\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\nabc',
        'ERR_BAD_REQUEST',
      ],
    ])('bodies that are no forms: %s', async (_, type, rawBody, code) => {
      const before = filesOnDisk(server)
      await api.fails(code, 'POST', '/messages', { rawBody, headers: { 'content-type': type } })
      expect(filesOnDisk(server)).toEqual(before)
    })
  })

  test('JSON is taken as ever', async () => {
    await api.ok('POST', '/messages', { body: toUser(scene.bob), onBehalfOf: scene.ann })
    expect((await postForm(api, '/messages', formOf({}))).status).toBe(400)
    expect(server.lines.filter((line) => line.level >= 50)).toEqual([])
  })
})
