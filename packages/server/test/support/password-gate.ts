/**
 * A door in front of PostgreSQL that asks for a password, as the throw-away server of the tests does not. Whoever knows it
 * is let through; what was shown is kept.
 */

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

export interface PasswordGate {
  /** Of the database behind it, through the gate and with the password. */
  readonly url: string
  readonly shown: readonly string[]
  close(): Promise<void>
}

const SSL_REQUEST = 80_877_103
const CANCEL_REQUEST = 80_877_102
/** AuthenticationCleartextPassword. */
const ASK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])
const REFUSAL = Buffer.from('SFATAL\0C28P01\0Mthe password is wrong\0\0')

const refusal = (): Buffer => {
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(REFUSAL.length + 4, 1)
  return Buffer.concat([head, REFUSAL])
}

const nextChunk = (socket: Socket): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => {
      socket.pause()
      resolve(chunk)
    })
    socket.once('close', () => reject(new Error('closed')))
    socket.resume()
  })

export const startPasswordGate = async (databaseUrl: string, password: string): Promise<PasswordGate> => {
  const target = new URL(databaseUrl)
  const shown: string[] = []
  const sockets = new Set<Socket>()

  const passThrough = (client: Socket, first: Buffer): void => {
    const upstream = connect(Number(target.port || 5432), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    upstream.write(first)
    client.pipe(upstream).pipe(client)
  }

  const admit = async (client: Socket): Promise<void> => {
    client.on('error', () => {})
    let start = await nextChunk(client)
    if (start.readInt32BE(4) === SSL_REQUEST) {
      client.write('N')
      start = await nextChunk(client)
    }
    if (start.readInt32BE(4) !== CANCEL_REQUEST) {
      client.write(ASK)
      const answer = await nextChunk(client)
      const given = answer.subarray(5, answer.length - 1).toString('utf8')
      shown.push(given)
      if (given !== password) {
        client.end(refusal())
        return
      }
    }
    passThrough(client, start)
  }

  const gate = createServer((client) => void admit(client).catch(() => client.destroy()))
  await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve))
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String((gate.address() as AddressInfo).port)
  url.password = password
  return {
    url: url.href,
    shown,
    close: async () => {
      const closed = new Promise<void>((resolve) => gate.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
