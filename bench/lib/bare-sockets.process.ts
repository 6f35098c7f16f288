/** The bare limit of the gateway: a WebSocket server that holds sockets, and sends the same bytes to some of them. */
import { WebSocket, WebSocketServer } from 'ws'
import { answerQuestions } from './questions.ts'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
await new Promise((resolve) => server.once('listening', resolve))
const address = server.address()
const port = typeof address === 'object' && address !== null ? address.port : 0
server.on('connection', (socket) => {
  socket.on('message', () => socket.send('{"type":"auth","body":{"code":"200"}}'))
  socket.on('error', () => {})
})

const verbs = {
  /** @returns the port and the process */
  where: (_: null): { port: number; pid: number } => ({ port, pid: process.pid }),
  /** Sends to the first so many. @param text holds `$NOW`, which becomes the time */
  broadcast: ({ text, to }: { text: string; to: number }): void => {
    const frame = Buffer.from(text.replace('$NOW', String(Number(process.hrtime.bigint()) / 1e6)))
    let left = to
    for (const socket of server.clients) {
      if (left-- <= 0) break
      if (socket.readyState === WebSocket.OPEN) socket.send(frame, { binary: false })
    }
  },
}
export type BareSocketsVerbs = typeof verbs
answerQuestions(verbs)
