/** What is no HTTP request, or one with too much before its body, is refused in the words of every other request. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/api.ts'
import { startServer, type TestServer } from '../support/server.ts'

describe('what cannot be read', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ engine: 'sqlite' })
  })
  afterAll(() => server.dispose())

  /** Everything that comes until the connection is closed. */
  const answerTo = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.url)
      const socket = connect(Number(port), hostname, () => socket.write(text))
      let received = ''
      socket.on('data', (bytes) => {
        received += bytes.toString('utf8')
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(received))
    })

  test.each([
    ['no HTTP at all', 'hello\r\n\r\n', 'request'],
    ['a header whose name has a space', 'GET /v3/users HTTP/1.1\r\nhost: x\r\nbad name: 1\r\n\r\n', 'request'],
    ['two lengths', 'POST /v3/users HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{', 'request'],
    ['headers without end', `GET /v3/users HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`, 'headers'],
    ['a path without end', `GET /v3/users?searchKey=${'a'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 'headers'],
  ])('%s', async (_what, text, field) => {
    const [head = '', body = ''] = (await answerTo(text)).split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application\/json/)
    expect(JSON.parse(body)).toMatchObject({
      error: {
        code: 'ERR_BAD_REQUEST',
        details: { [field]: expect.any(String) },
        requestId: expect.stringMatching(/^req_/),
      },
    })
  })

  test('a query of a hundred long tags is no such thing', async () => {
    const tags = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(255, 'x'))
    const { data } = await new Api(server).ok('GET', `/users?${tags.map((tag) => `tags[]=${tag}`).join('&')}`)
    expect(data).toEqual([])
  })
})
