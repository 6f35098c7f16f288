/** The bare limit of accepting: Fastify parses a body and answers one, and does nothing between. */
import Fastify from 'fastify'
import { answerQuestions } from './questions.ts'

const app = Fastify({ logger: false })
let filler = ''
app.post('/echo', (request) => ({ data: request.body, filler }))
await app.listen({ host: '127.0.0.1', port: 0 })
const address = app.server.address()
const port = typeof address === 'object' && address !== null ? address.port : 0

const verbs = {
  /** @returns the port */
  listen: ({ answerBytes, bodyBytes }: { answerBytes: number; bodyBytes: number }): number => {
    const envelope = JSON.stringify({ data: '', filler: '' }).length - 2
    filler = 'x'.repeat(Math.max(0, answerBytes - bodyBytes - envelope))
    return port
  },
}
export type EchoVerbs = typeof verbs
answerQuestions(verbs)
