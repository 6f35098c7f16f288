/** Files as browsers fetch them: parts, caches, and nothing that runs. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { makeScene, type Scene } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { fetchRaw, formOf, sendForm } from '../support/uploads.ts'

const CONTENT = 'abcdefghijklmnopqrstuvwxyz'

describeEngines('files are served', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  let url: string
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
    url = await urlOf('a.png', 'image/png')
  })
  afterAll(() => server?.dispose())

  const urlOf = async (name: string, type = '', bytes = CONTENT): Promise<string> => {
    const form = formOf({ receiver: scene.bob, receiverType: 'user' }, [{ name, type, bytes }])
    return (await sendForm(api, '/messages', form, { onBehalfOf: scene.ann })).data.url
  }

  test('whole, to anybody, for ever, with what keeps it harmless', async () => {
    const { status, headers, bytes } = await fetchRaw(url)
    expect([status, bytes.toString()]).toEqual([200, CONTENT])
    expect(headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': '26',
      'content-disposition': `inline; filename="a.png"; filename*=UTF-8''a.png`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=31536000, immutable',
      'accept-ranges': 'bytes',
      etag: expect.stringMatching(/^"[0-9a-f]{40}"$/),
    })
    expect(Date.now() - Date.parse(headers['last-modified'] ?? '')).toBeLessThan(60_000)
    const head = await fetchRaw(url, { method: 'HEAD' })
    const { date: _date, ...same } = headers
    expect([head.status, head.bytes.length]).toEqual([200, 0])
    expect(head.headers).toMatchObject(same)
  })

  test.each<[string, number, string, string | undefined]>([
    ['bytes=0-0', 206, 'a', 'bytes 0-0/26'],
    ['bytes=3-5', 206, 'def', 'bytes 3-5/26'],
    ['bytes=20-', 206, 'uvwxyz', 'bytes 20-25/26'],
    ['bytes=20-999', 206, 'uvwxyz', 'bytes 20-25/26'],
    ['bytes=-2', 206, 'yz', 'bytes 24-25/26'],
    ['bytes=-99', 206, CONTENT, 'bytes 0-25/26'],
    ['bytes=26-', 416, '', 'bytes */26'],
    ['bytes=-0', 416, '', 'bytes */26'],
    ['bytes=5-3', 200, CONTENT, undefined],
    ['bytes=a-b', 200, CONTENT, undefined],
    ['bytes=-', 200, CONTENT, undefined],
    ['lines=1-2', 200, CONTENT, undefined],
    ['bytes=0-1,3-4', 200, CONTENT, undefined],
  ])('the part %s', async (range, status, text, contentRange) => {
    const part = await fetchRaw(url, { headers: { range } })
    expect([part.status, part.bytes.toString(), part.headers['content-range']]).toEqual([status, text, contentRange])
    if (status !== 416) expect(part.headers['content-length']).toBe(String(text.length))
    const head = await fetchRaw(url, { method: 'HEAD', headers: { range } })
    expect([head.status, head.headers['content-range'], head.bytes.length]).toEqual([status, contentRange, 0])
  })

  test('what a client has already is not sent again, and a part only of what it has', async () => {
    const { headers } = await fetchRaw(url)
    const { etag = '', 'last-modified': modified = '' } = headers
    const statusWith = async (given: Record<string, string>) => (await fetchRaw(url, { headers: given })).status
    expect(await statusWith({ 'if-none-match': etag })).toBe(304)
    expect(await statusWith({ 'if-none-match': `"x", W/${etag}` })).toBe(304)
    expect(await statusWith({ 'if-none-match': '"x"' })).toBe(200)
    expect(await statusWith({ 'if-none-match': '"x"', 'if-modified-since': modified })).toBe(200)
    expect(await statusWith({ 'if-modified-since': modified })).toBe(304)
    expect(await statusWith({ 'if-modified-since': new Date(0).toUTCString() })).toBe(200)
    expect(await statusWith({ 'if-modified-since': 'yesterday' })).toBe(200)
    const range = 'bytes=0-1'
    expect(await statusWith({ range, 'if-range': etag })).toBe(206)
    expect(await statusWith({ range, 'if-range': modified })).toBe(206)
    expect(await statusWith({ range, 'if-range': '"x"' })).toBe(200)
    expect(await statusWith({ range, 'if-range': new Date(0).toUTCString() })).toBe(200)
  })

  const PAGE = '<script>alert(1)</script>'
  test.each([
    ['page.html', 'text/html'],
    ['page.html', 'TEXT/HTML; charset=utf-8'],
    ['page.html', ''],
    ['page.xhtml', 'application/xhtml+xml'],
    ['drawing.svg', 'image/svg+xml'],
    ['feed.xml', 'text/xml'],
    ['feed.xml', 'application/xml'],
    ['code.js', 'text/javascript'],
    ['style.css', 'text/css'],
    ['page.mht', 'multipart/related'],
    ['page.png', 'text/html'],
    ['page.html', 'image/png; x=text/html'],
    ['strange', 'text/html\u00a0'],
    ['strange', 'constructor'],
    ['strange', 'x'.repeat(500)],
  ])('%s as %j is never run', async (name, type) => {
    const { headers, bytes } = await fetchRaw(await urlOf(name, type, PAGE))
    expect(bytes.toString()).toBe(PAGE)
    const isImage = headers['content-type'] === 'image/png'
    if (!isImage) expect(headers['content-type']).toBe('application/octet-stream')
    expect(headers['content-disposition']).toMatch(isImage ? /^inline;/ : /^attachment;/)
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['content-security-policy']).toBe("default-src 'none'; sandbox")
  })

  test.each([
    ['a.pdf', 'application/pdf', 'inline', 'application/pdf'],
    ['a.mp4', '', 'inline', 'video/mp4'],
    ['a.mp3', 'audio/mpeg', 'inline', 'audio/mpeg'],
    ['a.txt', 'text/plain', 'attachment', 'text/plain'],
    ['a.csv', '', 'attachment', 'text/csv'],
    ['a.exe', 'application/x-msdownload', 'attachment', 'application/octet-stream'],
  ])('%s as %j is %s', async (name, type, disposition, contentType) => {
    const { headers } = await fetchRaw(await urlOf(name, type))
    expect(headers['content-type']).toMatch(new RegExp(`^${contentType}(; charset=utf-8)?$`))
    expect(headers['content-disposition']).toBe(`${disposition}; filename="${name}"; filename*=UTF-8''${name}`)
  })

  describe('addresses that are none', () => {
    const ID = '0'.repeat(40)
    const paths = () => {
      const [, , app = '', id = ''] = new URL(url).pathname.split('/')
      return [
        `/files/${app}/${ID}/a.png`,
        `/files/other/${id}/a.png`,
        `/files/${app}/${id.slice(1)}/a.png`,
        `/files/${app}/${id.toUpperCase()}X/a.png`,
        `/files/${app}/..%2f..%2fconfab.sqlite/a`,
        `/files/${app}/%2e%2e/${id}`,
        `/files/../../${id}/a.png`,
        `/files/..%2f..%2f..%2fetc/passwd/x`,
        `/files/${app}/../../../../etc/passwd`,
        `/files/__proto__/constructor/x`,
        `/files/${app}/%00/x`,
        `/files/${app}/${id}`,
        `/files/${app}/${id}/`,
        '/files/',
        '/files',
      ]
    }
    test('are answered as not found, or as no request, and never with a file', async () => {
      for (const path of paths()) {
        const { status, bytes } = await fetchRaw(url, { path })
        expect([path, [400, 404].includes(status)]).toEqual([path, true])
        expect(bytes.toString()).not.toContain(CONTENT)
      }
      expect(server.lines.filter((line) => line.level >= 50)).toEqual([])
    })

    test('what follows the id is for people', async () => {
      const other = url.replace('a.png', '..%2F%22evil.html')
      const { status, headers } = await fetchRaw(other)
      expect([status, headers['content-type']]).toEqual([200, 'image/png'])
      expect(headers['content-disposition']).toContain('a.png')
    })

    test('errors are JSON, under the same harmless headers', async () => {
      const error = await api.fails('ERR_FILE_NOT_FOUND', 'GET', `/${server.appId}/${ID}/a`, { prefix: '/files' })
      expect(error.requestId).toMatch(/^req_/)
      const { headers } = await fetchRaw(url, { path: `/files/${server.appId}/${ID}/a` })
      expect(headers['access-control-allow-origin']).toBe('*')
      expect(headers['cache-control']).toBeUndefined()
    })
  })

  test('browsers may ask from any origin', async () => {
    const { status, headers } = await fetchRaw(url, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-headers': 'range' },
    })
    expect(status).toBe(204)
    expect(headers).toMatchObject({ 'access-control-allow-origin': '*', 'access-control-allow-headers': 'range' })
  })

  test('ids and names of files never reach the log', async () => {
    const id = new URL(url).pathname.split('/')[3] ?? ''
    await expect.poll(() => server.log.some((line) => line.includes('/files/:appId/:id/:name'))).toBe(true)
    expect(server.log.join('\n')).not.toContain(id)
  })

  test('the url begins with the Host of the request; what is no host is refused', async () => {
    const sendTo = (host: string) =>
      new Promise<string>((resolve, reject) => {
        const body = [
          '--x',
          `content-disposition: form-data; name="receiver"\r\n\r\n${scene.bob}`,
          '--x',
          'content-disposition: form-data; name="receiverType"\r\n\r\nuser',
          '--x',
          'content-disposition: form-data; name="file"; filename="a.png"\r\n\r\nx',
          '--x--\r\n',
        ].join('\r\n')
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
        let text = ''
        socket.on('error', reject)
        socket.on('data', (part) => {
          text += part
        })
        socket.on('close', () => resolve(text))
        socket.write(
          `POST /v3/messages HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\napikey: ${server.restApiKey}\r\nappid: ${server.appId}\r\n` +
            `x-forwarded-proto: https\r\nx-forwarded-host: evil.example\r\n` +
            `content-type: multipart/form-data; boundary=x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        )
      })
    expect(await sendTo('Chat.Example:8080')).toContain('"url":"http://chat.example:8080/files/')
    expect(await sendTo('[::1]:80')).toContain('"url":"http://[::1]/files/')
    for (const host of ['a/b', 'a"b', 'user@host', '']) expect(await sendTo(host)).toMatch(/^HTTP\/1\.1 400 /)
  })
})

test('CONFAB_PUBLIC_URL is where urls begin', async () => {
  const server = await startServer({ engine: 'sqlite', env: { CONFAB_PUBLIC_URL: 'https://chat.example/' } })
  try {
    const api = new Api(server)
    const { ann, bob } = await makeScene(api)
    const form = formOf({ receiver: bob, receiverType: 'user' }, [{ name: 'a.png', bytes: 'x' }])
    const { url } = (await sendForm(api, '/messages', form, { onBehalfOf: ann })).data
    expect(url).toMatch(/^https:\/\/chat\.example\/files\//)
    expect((await fetchRaw(`${server.url}${new URL(url).pathname}`)).status).toBe(200)
  } finally {
    await server.dispose()
  }
})
