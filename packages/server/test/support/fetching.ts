/** What suites of bots that fetch their updates share: a server for the file, people who speak, a bot for each test. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { makeUsers, say } from '../delivery/support.ts'
import { Api } from './api.ts'
import { type Pulled, type PullQuery, pull } from './pulling.ts'
import { describeEngines, startServer, type TestServer } from './server.ts'

export const ALREADY = 'ERR_BOT_ALREADY_CONSUMED'
/** Far less than the look that finds what nobody told of. */
export const AT_ONCE_MS = 600
/** Where it is not about how soon. */
export const SOON = { timeout: 5000 }
export const people = ['ann', 'bob', 'cat', 'dan']

export interface Fetching {
  readonly server: TestServer
  readonly api: Api
  /** Its uid: the test makes the bot, and it goes with the test. */
  readonly bot: string
  fetchAll(query?: PullQuery): Promise<Pulled>
  /** To the bot, each by the person whose name it begins with. */
  tell(...texts: readonly string[]): Promise<void>
  /** Settings of the bot. */
  change(body: object): Promise<unknown>
}

/** @param suite looks at its scene within each test: every test has another bot */
export const describeUpdates = (suite: (scene: () => Fetching) => void): void =>
  describeEngines('updates', (engine) => {
    let server: TestServer
    let api: Api
    let bot = ''
    let bots = 0

    beforeAll(async () => {
      server = await startServer({ engine })
      api = new Api(server)
      await makeUsers(server, ...people)
    })
    afterAll(() => server?.dispose())
    beforeEach(() => {
      bot = `bot-${++bots}`
    })
    afterEach(async () => {
      await server.client.request('DELETE', `/bots/${bot}`).catch(() => {})
    })

    const fetchAll = (query: PullQuery = {}) => pull(server, bot, query)
    const tell = async (...texts: readonly string[]): Promise<void> => {
      for (const text of texts) await say(server, text.split(' ')[0] ?? '', bot, text)
    }
    const change = (body: object): Promise<unknown> => api.ok('PUT', `/bots/${bot}`, { body })

    suite(() => ({ server, api, bot, fetchAll, tell, change }))
  })
