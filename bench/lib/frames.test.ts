import { describe, expect, it } from 'vitest'
import { frameAt, postText } from './frames.ts'

const BODY = '{"text":"héllo – \\r\\n\\r\\n"}'
const REQUEST = postText('/v3/messages', { apikey: 'k', onbehalfof: 'ann' }, BODY)
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length:2\r\nx: y\r\n\r\n{}'

const bodyAt = (bytes: Buffer, start = 0): string | undefined => {
  const frame = frameAt(bytes, start)
  return frame && bytes.toString('utf8', frame.bodyStart, frame.end)
}

/** Every message in order, read as a stream is: what is left is kept until there is more. */
const readAll = (chunks: readonly Buffer[]): string[] => {
  const bodies: string[] = []
  let rest = Buffer.alloc(0)
  for (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk])
    for (let frame = frameAt(rest); frame !== undefined; frame = frameAt(rest)) {
      bodies.push(rest.toString('utf8', frame.bodyStart, frame.end))
      rest = rest.subarray(frame.end)
    }
  }
  expect(rest).toHaveLength(0)
  return bodies
}

describe('a frame', () => {
  it('is a message from its first line to the last byte of its body', () => {
    const bytes = Buffer.from(REQUEST)
    expect(frameAt(bytes)?.end).toBe(bytes.length)
    expect(bodyAt(bytes)).toBe(BODY)
    expect(frameAt(bytes)?.head).toBe(REQUEST.slice(0, REQUEST.indexOf('\r\n\r\n')))
  })

  it('is there when its last byte is, and not before', () => {
    const bytes = Buffer.from(REQUEST)
    for (let length = 0; length < bytes.length; length++) expect(frameAt(bytes.subarray(0, length))).toBeUndefined()
    expect(frameAt(bytes)).toBeDefined()
  })

  it('ends where the next begins', () => {
    const bytes = Buffer.from(ANSWER + REQUEST + ANSWER)
    const first = frameAt(bytes)
    expect(first?.end).toBe(ANSWER.length)
    expect(bodyAt(bytes)).toBe('{}')
    expect(bodyAt(bytes, first?.end)).toBe(BODY)
    expect(frameAt(bytes, bytes.length)).toBeUndefined()
  })

  it('is the same wherever the stream is cut', () => {
    const bytes = Buffer.from(ANSWER + REQUEST + ANSWER)
    for (let at = 0; at <= bytes.length; at++) {
      expect(readAll([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(['{}', BODY, '{}'])
    }
    expect(readAll(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(['{}', BODY, '{}'])
  })

  it('may have an empty body, and its length in any case and place', () => {
    for (const length of ['content-length: 0', 'CONTENT-LENGTH:0', 'x: y\r\nContent-Length:   0\r\ny: z']) {
      const bytes = Buffer.from(`HTTP/1.1 204 X\r\n${length}\r\n\r\n`)
      expect([bodyAt(bytes), frameAt(bytes)?.end]).toEqual(['', bytes.length])
    }
  })

  it('without a length is an error, rather than a message of any length', () => {
    const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-content-length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n'
    expect(() => frameAt(Buffer.from(chunked))).toThrow('no content-length in: HTTP/1.1 200 OK')
  })
})

describe('a request', () => {
  it('announces its body in bytes', () => {
    expect(REQUEST).toContain(`\r\ncontent-length: ${Buffer.byteLength(BODY)}\r\n`)
    expect(Buffer.byteLength(BODY)).toBeGreaterThan(BODY.length)
    expect(REQUEST.split('\r\n').slice(0, 5)).toEqual([
      'POST /v3/messages HTTP/1.1',
      'host: 127.0.0.1',
      'apikey: k',
      'onbehalfof: ann',
      'content-type: application/json',
    ])
  })
})
