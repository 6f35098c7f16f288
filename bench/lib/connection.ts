import { createConnection, type Socket } from 'node:net'
import { frameAt } from './frames.ts'

export type OnAnswer = (status: number) => void

/** One kept-alive connection, one request under way. */
export class Connection {
  readonly #socket: Socket
  readonly #onLost: (error: Error) => void
  #onAnswer: OnAnswer | undefined
  #rest: Buffer | undefined

  private constructor(socket: Socket, onLost: (error: Error) => void) {
    this.#socket = socket
    this.#onLost = onLost
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => onLost(error))
    socket.on('close', () => {
      if (this.#onAnswer !== undefined) onLost(new Error('the connection was closed in place of an answer'))
    })
  }

  static open(port: number, onLost: (error: Error) => void): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port }, () => {
        socket.off('error', reject)
        resolve(new Connection(socket, onLost))
      })
      socket.once('error', reject)
    })
  }

  /** @param request of characters below U+0100 */
  send(request: string, onAnswer: OnAnswer): void {
    this.#onAnswer = onAnswer
    this.#socket.write(request, 'latin1')
  }

  close(): void {
    this.#onAnswer = undefined
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    try {
      const frame = frameAt(bytes)
      this.#rest = frame === undefined ? bytes : undefined
      if (frame === undefined) return
      const onAnswer = this.#onAnswer
      this.#onAnswer = undefined
      onAnswer?.(Number(frame.head.slice(9, 12)))
    } catch (error) {
      this.#onLost(error instanceof Error ? error : new Error(String(error)))
      this.close()
    }
  }
}
