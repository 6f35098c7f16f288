import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { askInTurns, type Side } from './in-turns.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections()
})

const serve = async (name: string, heard: string[], status = 200, afterMs = 0): Promise<Side> => {
  const server = createServer((_, response) => {
    heard.push(name)
    setTimeout(() => response.writeHead(status, { 'content-length': 2 }).end('{}'), afterMs)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  return { port, request: 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n' }
}

describe('asked in turns', () => {
  it('each goes first as often as the other, and what warms up is not counted', async () => {
    const heard: string[] = []
    const times = await askInTurns(await serve('a', heard, 200, 20), await serve('b', heard), 4)
    expect([times.ours.length, times.limit.length]).toEqual([4, 4])
    expect(heard.slice(-8).join('')).toBe('baabbaab')
    expect(heard.length).toBeGreaterThan(8)
    expect(Math.min(...times.ours)).toBeGreaterThan(Math.min(...times.limit))
  })

  it('an answer that is none ends it', async () => {
    const asked = askInTurns(await serve('a', []), await serve('b', [], 503), 4)
    await expect(asked).rejects.toThrow('503 to GET / HTTP/1.1')
  })
})
