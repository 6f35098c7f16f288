/** The bare limit of callbacks: undici posts one body again and again, one request under way per connection. */
import { Client, type Dispatcher } from 'undici'
import { answerQuestions } from './questions.ts'

const verbs = {
  /** @returns answers of 2xx per second */
  post: async (options: { port: number; body: string; connections: number; forMs: number }): Promise<number> => {
    const { port, body, connections, forMs } = options
    const clients = Array.from({ length: connections }, () => new Client(`http://127.0.0.1:${port}`, { pipelining: 1 }))
    const headers = ['content-type', 'application/json']
    const request: Dispatcher.DispatchOptions = { method: 'POST', path: '/hook', headers, body }
    const start = performance.now()
    const until = start + forMs
    let posted = 0
    const loop = (client: Client): Promise<void> =>
      new Promise((resolve, reject) => {
        let status = 0
        const handler: Dispatcher.DispatchHandler = {
          onRequestStart: () => {},
          onResponseStart: (_, code) => {
            status = code
          },
          onResponseData: () => {},
          onResponseEnd: () => {
            if (status === 200) posted++
            if (performance.now() < until) client.dispatch(request, handler)
            else resolve()
          },
          onResponseError: (_, error) => reject(error),
        }
        client.dispatch(request, handler)
      })
    await Promise.all(clients.map(loop))
    const rate = (posted * 1000) / (performance.now() - start)
    await Promise.all(clients.map((client) => client.destroy()))
    return rate
  },
}
export type PosterVerbs = typeof verbs
answerQuestions(verbs)
