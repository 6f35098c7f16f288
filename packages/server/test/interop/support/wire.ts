/** What lies between the browser and the server: one address that stays, over restarts, and that can be cut. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

export class Wire {
  readonly port: number
  /** Where it leads now. */
  readonly #target: () => number
  readonly #sockets = new Set<Socket>()
  readonly #close: () => Promise<void>
  #isDown = false

  private constructor(port: number, target: () => number, close: () => Promise<void>) {
    this.port = port
    this.#target = target
    this.#close = close
  }

  static async open(target: () => number): Promise<Wire> {
    const server = createServer((socket) => wire.#join(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const wire = new Wire((server.address() as AddressInfo).port, target, async () => {
      server.close()
    })
    return wire
  }

  /** Cuts every connection; until `mend`, new ones too. */
  cut(): void {
    this.#isDown = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isDown = false
  }

  async close(): Promise<void> {
    this.cut()
    await this.#close()
  }

  #join(socket: Socket): void {
    if (this.#isDown) {
      socket.destroy()
      return
    }
    const other = connect({ port: this.#target(), host: '127.0.0.1' })
    for (const [one, another] of [
      [socket, other],
      [other, socket],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => another.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        another.destroy()
      })
      one.pipe(another)
    }
  }
}
