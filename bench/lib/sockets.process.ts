/** Many clients of a gateway in one process: they connect, sign in, and time what comes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { machineMs } from './now.ts'
import { answerQuestions } from './questions.ts'

interface SignIn {
  readonly port: number
  /** One socket for each; the text is the first frame that it sends. */
  readonly first: readonly string[]
  /** How many are on their way at a time. */
  readonly atOnce: number
}

const sockets: WebSocket[] = []
/** By the time at which each was sent: how many came, and when the last of them did. */
const arrivals = new Map<number, { count: number; lastMs: number }>()
const SENT_AT = /sent-at:([\d.]+)/

const take = (text: string): void => {
  const sentMs = Number(SENT_AT.exec(text)?.[1] ?? Number.NaN)
  if (Number.isNaN(sentMs)) return
  const known = arrivals.get(sentMs) ?? { count: 0, lastMs: 0 }
  arrivals.set(sentMs, { count: known.count + 1, lastMs: machineMs() })
}

const open = (port: number, first: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
    sockets.push(socket)
    let isIn = false
    socket.on('open', () => socket.send(first))
    socket.on('message', (data) => {
      const text = String(data)
      if (isIn) take(text)
      else {
        isIn = true
        resolve()
      }
    })
    socket.on('error', reject)
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)))
  })

const verbs = {
  /** @returns how long it took until the last was in, in ms */
  signIn: async ({ port, first, atOnce }: SignIn): Promise<number> => {
    const start = machineMs()
    const left = [...first]
    const worker = async (): Promise<void> => {
      for (let text = left.pop(); text !== undefined; text = left.pop()) await open(port, text)
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, first.length) }, worker))
    return machineMs() - start
  },
  /** Waits until each of `messages` has come `each` times, or nothing comes any more. @returns from sending to the last */
  arrivals: async (wanted: { messages: number; each: number }): Promise<{ toLastMs: number[]; frames: number }> => {
    const framesOf = (): number => [...arrivals.values()].reduce((sum, { count }) => sum + count, 0)
    for (let before = -1; framesOf() < wanted.messages * wanted.each && framesOf() !== before; ) {
      before = framesOf()
      await sleep(1000)
    }
    const found = { toLastMs: [...arrivals].map(([sentMs, { lastMs }]) => lastMs - sentMs), frames: framesOf() }
    arrivals.clear()
    return found
  },
  closeAll: async (_: null): Promise<void> => {
    for (const socket of sockets.splice(0)) socket.terminate()
    await sleep(500)
  },
}
export type SocketsVerbs = typeof verbs
answerQuestions(verbs)
