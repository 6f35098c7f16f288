/** One run: a fresh server with people who write and bots that hear them, and the hands that scenarios lay on it. */
import { join } from 'node:path'
import type { Children } from '../../bench/lib/children.ts'
import type { ConfabClient } from '../../packages/bot-sdk/src/index.ts'
import { Bots } from './bots.ts'
import { Chronicle } from './chronicle.ts'
import type { Engine, Storage } from './engines.ts'
import { TIMEOUT_MS } from './misbehaviours.ts'
import { type Conversation, People } from './people.ts'
import { PlanFile } from './plan.ts'
import { between, type Random, streamOf } from './random.ts'
import type { Scenario } from './scenario.ts'
import { type Exit, ServerProcess } from './server.ts'
import { pause } from './wait.ts'

export const BOTS = ['bot-a', 'bot-b', 'bot-c'] as const
const PEOPLE = ['ann', 'bob', 'cat']
const GROUP = 'team'

/**
 * A lease that lapses because the machine is busy looks like a fault, so it is long where none has to lapse. With
 * PostgreSQL whoever starts again waits for those of the dead.
 */
const LEASE_MS = { sqlite: 5000, postgres: 3000 } as const
const SHORT_LEASE_MS = 1000
/** Then a lane whose attempt could not be recorded has been claimed again. */
const AFTER_LEASE_MS = 600

/** As short as settings may be: a run is to show what else takes hours. */
const SETTINGS = {
  CONFAB_RETRY_SCHEDULE: '30ms,60ms,120ms',
  CONFAB_CALLBACK_TIMEOUT: `${TIMEOUT_MS}ms`,
  CONFAB_BREAKER_OPEN_FOR: '100ms',
  CONFAB_SHUTDOWN_GRACE: '3s',
}

/** To each bot one to one, and in a group that all bots hear. */
const conversations: readonly Conversation[] = [
  ...PEOPLE.flatMap((person) =>
    BOTS.map((bot): Conversation => {
      const id = person < bot ? `${person}_user_${bot}` : `${bot}_user_${person}`
      return { id, sender: person, receiver: bot, receiverType: 'user', bots: [bot] }
    }),
  ),
  { id: `group_${GROUP}`, sender: 'ann', receiver: GROUP, receiverType: 'group', bots: BOTS },
]

export const botsOf = (conversationId: string): readonly string[] =>
  conversations.find(({ id }) => id === conversationId)?.bots ?? []

/** Runs side by side have an address each, so that a port of one is never the port of another. */
const hostOf = (index: number): string =>
  process.platform === 'linux' ? `127.${1 + (process.pid % 250)}.${(index >> 8) & 255}.${index & 255}` : '127.0.0.1'

export interface RunParts {
  readonly seed: number
  /** Counts the runs of this process. */
  readonly index: number
  readonly engine: Engine
  readonly scenario: Scenario
  readonly storage: Storage
  readonly directory: string
  readonly children: Children
}

export class Run {
  readonly engine: Engine
  readonly storage: Storage
  readonly directory: string
  /** Of the scenario. */
  readonly random: Random
  readonly leaseMs: number
  readonly chronicle: Chronicle
  readonly plan: PlanFile
  readonly server: ServerProcess
  readonly people: People
  readonly bots: Bots
  /** Duties that ended with their bot. */
  readonly deleted = new Set<string>()

  constructor({ seed, index, engine, scenario, storage, directory, children }: RunParts) {
    this.engine = engine
    this.storage = storage
    this.directory = directory
    this.random = streamOf(seed, 'scenario')
    this.leaseMs = scenario.shortLease === true ? SHORT_LEASE_MS : LEASE_MS[engine]
    this.chronicle = new Chronicle(this.leaseMs + AFTER_LEASE_MS)
    this.plan = new PlanFile(join(directory, 'plan.json'))
    const host = hostOf(index)
    this.server = new ServerProcess({
      children,
      host,
      logFile: join(directory, 'server.log'),
      planFile: this.plan.path,
      settings: { ...SETTINGS, CONFAB_LEASE: `${this.leaseMs}ms`, ...storage.settings, ...scenario.settings },
    })
    const { server, chronicle } = this
    this.people = new People({ server, chronicle, conversations, seed })
    this.bots = new Bots({ chronicle, host, seed })
  }

  get client(): ConfabClient {
    return this.server.client
  }

  injected(fault: string): void {
    this.chronicle.injected(fault)
  }

  between(min: number, max: number): number {
    return between(this.random, min, max)
  }

  /** Some time in which people write. */
  async writing(minMs: number, maxMs: number): Promise<void> {
    await pause(this.between(minMs, maxMs))
  }

  async setUp(): Promise<void> {
    await this.server.start()
    await Promise.all([...PEOPLE, ...BOTS].map((uid) => this.client.createUser({ uid, name: uid })))
    await Promise.all(BOTS.map((uid) => this.#openBot(uid)))
    await this.client.createGroup({
      guid: GROUP,
      name: GROUP,
      type: 'public',
      members: { participants: [...PEOPLE, ...BOTS] },
    })
    this.people.start()
  }

  async #openBot(uid: string): Promise<void> {
    const { url } = await this.bots.open(uid)
    const body = { uid, enabled: true, webhookURL: url, groupChatSetting: 'allMessages' }
    const { data } = await this.client.request<{ signingSecret: string }>('POST', '/bots', { body })
    this.bots.secrets.set(uid, [data.signingSecret])
  }

  /** What the dead process has sent still belongs to its life. */
  async start(): Promise<void> {
    await pause(10)
    this.chronicle.life += 1
    await this.server.start()
  }

  async kill(): Promise<void> {
    await this.server.end('SIGKILL')
    await this.start()
  }

  /** It ends what is under way: nothing of it may come again. */
  async stop(): Promise<Exit | undefined> {
    const exit = await this.server.end('SIGTERM')
    if (exit !== 0) this.chronicle.wrong(`asked to stop, the server ended with ${exit ?? 'nothing in time'}`)
    return exit
  }

  async changeBot(bot: string, body: object): Promise<void> {
    await this.client.request('PUT', `/bots/${bot}`, { body })
  }

  /** Up to 100 deliveries. */
  async deliveries(query: Record<string, string | number>): Promise<readonly { id: string; state: string }[]> {
    const { data } = await this.client.request<{ id: string; state: string }[]>('GET', '/deliveries', { query })
    return data
  }
}
