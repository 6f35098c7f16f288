/** As little HTTP/1.1 as is needed: what the benchmark spends on parsing, the server does not get. */

const HEAD_END = '\r\n\r\n'
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i

export interface Frame {
  /** From the first line to the last header. */
  readonly head: string
  readonly bodyStart: number
  readonly end: number
}

/** The message that begins at `start`, or undefined as long as it is not there to its end. */
export const frameAt = (bytes: Buffer, start = 0): Frame | undefined => {
  const headEnd = bytes.indexOf(HEAD_END, start, 'latin1')
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', start, headEnd)
  const length = CONTENT_LENGTH.exec(head)?.[1]
  if (length === undefined) throw new Error(`no content-length in: ${head}`)
  const bodyStart = headEnd + HEAD_END.length
  const end = bodyStart + Number(length)
  return end <= bytes.length ? { head, bodyStart, end } : undefined
}

export const postText = (path: string, headers: Readonly<Record<string, string>>, body: string): string => {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return (
    `POST ${path} HTTP/1.1\r\n${lines.join('')}content-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}
