/** A stream of rows to the server, whose answers are read while it is sent. */
import { request as httpRequest } from 'node:http'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Json } from './api.ts'
import type { TestServer } from './server.ts'

const bytesOf = function* (rows: Iterable<unknown>): Generator<string> {
  let chunk = ''
  for (const row of rows) {
    chunk += `${typeof row === 'string' ? row : JSON.stringify(row)}\n`
    if (chunk.length < 60_000) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}

interface Streamed {
  readonly status: number
  readonly lines: Json[]
}

/** @param rows each a line; texts as they are */
export const importLines = async (
  server: TestServer,
  rows: Iterable<unknown>,
  { query = '', onLine }: { query?: string; onLine?: (line: Json) => void } = {},
): Promise<Streamed> => {
  const url = new URL(`${server.url}/v3/data_import/stream${query}`)
  const outgoing = httpRequest(url, {
    method: 'POST',
    headers: { apikey: server.restApiKey, appid: server.appId, 'content-type': 'application/x-ndjson' },
  })
  const answered = new Promise<Streamed>((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const lines: Json[] = []
      const reader = createInterface({ input: response })
      reader.on('line', (text) => {
        const line = JSON.parse(text)
        if (onLine === undefined) lines.push(line)
        else onLine(line)
      })
      reader.on('close', () => resolve({ status: response.statusCode ?? 0, lines }))
    })
  })
  await pipeline(Readable.from(bytesOf(rows)), outgoing)
  return answered
}
