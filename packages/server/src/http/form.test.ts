import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { defaultLimits } from '@confab/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { type FormFields, type FormOptions, readForm } from './form.ts'

const part = (name: string, value: string, more = ''): string =>
  `--x\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
const END = '--x--\r\n'

interface Read {
  readonly fields: FormFields
  readonly files: readonly string[]
}

/** What comes of a body, written piece by piece; `undefined` ends the connection. */
const readBody = async (
  pieces: readonly (string | Buffer | undefined)[],
  options: Partial<FormOptions> = {},
  length = pieces.join('').length,
): Promise<Read> => {
  const read = Promise.withResolvers<Read>()
  const server = createServer((request: IncomingMessage, response) => {
    const files: string[] = []
    const onFile: FormOptions['onFile'] = async ({ field, name, chunks }) => {
      files.push(`${field} ${name}: ${await text(chunks)}`)
    }
    readForm(request, { maxBytes: 10_000_000, maxFiles: 3, maxFieldBytes: defaultLimits.bodyBytes, onFile, ...options })
      .then((fields) => read.resolve({ fields, files }), read.reject)
      .finally(() => response.end())
  })
  read.promise.catch(() => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: ${length}\r\n\r\n`,
  )
  for (const piece of pieces) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    if (piece === undefined) socket.destroy()
    else socket.write(piece)
  }
  return read.promise
}

test('fields and files, however the body is cut, with what stands around it', async () => {
  const body = `before\r\n${part('a', '1')}${part('a', '2')}${part('f', 'content', '; filename="n.txt"')}${part('b', 'Ä')}${END}after`
  const buffer = Buffer.from(body)
  for (const size of [1, 7, 1000]) {
    const pieces = Array.from({ length: Math.ceil(buffer.length / size) }, (_, n) =>
      buffer.subarray(n * size, (n + 1) * size),
    )
    const { fields, files } = await readBody(pieces, {}, buffer.length)
    expect([...fields]).toEqual([
      ['a', ['1', '2']],
      ['b', ['Ä']],
    ])
    expect(files).toEqual(['f n.txt: content'])
  }
})

test.each<[string, (string | undefined)[], Partial<FormOptions>, string, number?]>([
  ['a field that is too large', [part('a', 'x'.repeat(300_000)), END], {}, 'ERR_PAYLOAD_TOO_LARGE'],
  ['a body that is announced as too large', ['x'], { maxBytes: 10 }, 'ERR_PAYLOAD_TOO_LARGE', 11],
  ['too many fields', [part('a', '1').repeat(201), END], {}, 'ERR_BAD_REQUEST'],
  ['too many files', [part('f', 'x', '; filename="n"').repeat(4), END], {}, 'ERR_INVALID_MEDIA_MESSAGE'],
  ['one who stops sending', [part('a', '1')], { idleMs: 50 }, 'ERR_BAD_REQUEST', 1000],
  ['one who stops within a file', [part('f', 'x', '; filename="n"')], { idleMs: 50 }, 'ERR_BAD_REQUEST', 1000],
  ['one who leaves', [part('a', '1'), undefined], {}, 'ERR_BAD_REQUEST', 1000],
  ['one who leaves within a file', [part('f', 'x', '; filename="n"'), undefined], {}, 'ERR_BAD_REQUEST', 1000],
  ['a form without an end', [part('a', '1')], {}, 'ERR_BAD_REQUEST'],
])('%s is refused', async (_, pieces, options, code, length) => {
  await expect(readBody(pieces, options, length)).rejects.toMatchObject({ code })
})

test('what whoever takes a file objects to is what comes of it', async () => {
  const onFile = () => Promise.reject(new Error('the disk is full'))
  const body = [part('f', 'x'.repeat(200_000), '; filename="n"'), END]
  await expect(readBody(body, { onFile })).rejects.toThrow('the disk is full')
})
