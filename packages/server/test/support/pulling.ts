/** Bots that fetch their updates, as a stream over a connection of its own. */
import type { Update } from '@confab/protocol'
import type { TestServer } from './server.ts'

export interface UpdateStream {
  readonly status: number
  readonly contentType: string
  /** Code of the error, if it is one. */
  readonly code: string | undefined
  /** As they came. */
  readonly updates: readonly Update[]
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>
  /** Leaves without a word. */
  leave(): void
}

const eventsOf = (text: string): Update[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Update)

export const openStream = async (server: TestServer, bot: string, query = ''): Promise<UpdateStream> => {
  const leaving = new AbortController()
  const answer = await fetch(`${server.url}/v3/bots/${bot}/updates/stream${query}`, {
    headers: { apikey: server.restApiKey, appid: server.appId },
    signal: leaving.signal,
  })
  const updates: Update[] = []
  const contentType = answer.headers.get('content-type') ?? ''
  const shared = { status: answer.status, contentType, updates, leave: () => leaving.abort() }
  if (answer.status !== 200) {
    const { error } = (await answer.json()) as { error: { code: string } }
    return { ...shared, code: error.code, ended: Promise.resolve() }
  }
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(chunk, { stream: true })
      const end = rest.lastIndexOf('\n\n')
      if (end < 0) continue
      updates.push(...eventsOf(rest.slice(0, end)))
      rest = rest.slice(end + 2)
    }
  }
  return { ...shared, code: undefined, ended: read().catch(() => undefined) }
}
