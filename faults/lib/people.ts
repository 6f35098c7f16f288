/** People who write, each in their conversations, whatever happens to the server. */
import { inspect } from 'node:util'
import { ConfabError, ConfabUnreachableError } from '../../packages/bot-sdk/src/index.ts'
import type { SentMessage } from '../../packages/server/src/testing/history.ts'
import type { Chronicle } from './chronicle.ts'
import { between, type Random, streamOf } from './random.ts'
import type { ServerProcess } from './server.ts'
import { pause, within } from './wait.ts'

export interface Conversation {
  readonly id: string
  readonly sender: string
  readonly receiver: string
  readonly receiverType: 'user' | 'group'
  readonly bots: readonly string[]
}

/** `never`: it did not reach the server. `refused`: the server said that it failed. */
type Outcome = { readonly id: string } | 'never' | 'refused' | 'unknown'

const WAIT_BEFORE_REPEATING_MS = 50
const REPEATS = 0.75
const SETTLE_WITHIN_MS = 15_000

const isNobodyThere = (error: unknown): boolean =>
  error instanceof ConfabUnreachableError && /ECONNREFUSED/.test(inspect(error.cause))

export class People {
  /** How often each message is sent at the same time. */
  echo = 1
  onAccepted: ((message: SentMessage) => void) | undefined
  /** Messages of which the server said that they failed, and that were not sent again. */
  readonly refused: string[] = []
  readonly #server: ServerProcess
  readonly #chronicle: Chronicle
  readonly #conversations: readonly Conversation[]
  readonly #seed: number
  readonly #silent = new Set<string>()
  readonly #busy = new Set<Conversation>()
  #isWriting = true
  #writers: Promise<unknown> = Promise.resolve()

  constructor(parts: {
    server: ServerProcess
    chronicle: Chronicle
    conversations: readonly Conversation[]
    seed: number
  }) {
    this.#server = parts.server
    this.#chronicle = parts.chronicle
    this.#conversations = parts.conversations
    this.#seed = parts.seed
  }

  start(): void {
    this.#writers = Promise.all(this.#conversations.map((conversation) => this.#writeAll(conversation)))
  }

  /** Resolves when the outcome of all that is under way is known, or known to be unknown. */
  async stop(): Promise<void> {
    this.#isWriting = false
    await this.#writers
  }

  /** Nothing more to this bot, until told. */
  async silence(bot: string): Promise<void> {
    this.#silent.add(bot)
    const isQuiet = (): boolean => ![...this.#busy].some(({ bots }) => bots.includes(bot))
    if (!(await within(SETTLE_WITHIN_MS, isQuiet))) this.#chronicle.wrong('a request was not answered in time')
  }

  /** The ids of those that this bot hears. */
  conversationsOf(bot: string): readonly string[] {
    return this.#conversations.filter(({ bots }) => bots.includes(bot)).map(({ id }) => id)
  }

  speak(bot: string): void {
    this.#silent.delete(bot)
  }

  /** One message in every conversation that this bot hears, while the bot is silenced; `bots` are to hear it. */
  async say(bot: string, muid: string, bots: readonly string[]): Promise<void> {
    for (const conversation of this.#conversations.filter((one) => one.bots.includes(bot))) {
      const own = conversation.bots.filter((one) => one !== bot || bots.includes(bot))
      await this.#write(conversation, `${conversation.id}-${muid}`, { random: () => 0, bots: own })
    }
  }

  async #writeAll(conversation: Conversation): Promise<void> {
    const random = streamOf(this.#seed, conversation.id)
    for (let n = 1; this.#isWriting; n++) {
      if (conversation.bots.some((bot) => this.#silent.has(bot))) {
        await pause(5)
        continue
      }
      this.#busy.add(conversation)
      await this.#write(conversation, `${conversation.id}-${n}`, { random })
      this.#busy.delete(conversation)
      await pause(between(random, 5, 40))
    }
  }

  /** What has no known outcome is sent again under its muid, or left as it is. */
  async #write(
    conversation: Conversation,
    muid: string,
    { random, bots }: { random: Random; bots?: readonly string[] },
  ): Promise<void> {
    const { id: conversationId } = conversation
    const outcomes = new Set<Outcome>()
    do {
      await this.#server.up()
      const outcome = await this.#send(conversation, muid, random)
      if (typeof outcome === 'object') {
        const message = { muid, conversationId, id: outcome.id, ...(bots && { bots }) }
        this.#chronicle.sent.push(message)
        this.onAccepted?.(message)
        return
      }
      outcomes.add(outcome)
      await pause(WAIT_BEFORE_REPEATING_MS)
    } while (this.#isWriting && random() < REPEATS)
    if (outcomes.has('unknown'))
      this.#chronicle.sent.push({ muid, conversationId, id: undefined, ...(bots && { bots }) })
    else if (outcomes.has('refused')) this.refused.push(muid)
  }

  async #send(conversation: Conversation, muid: string, random: Random): Promise<Outcome> {
    const text = `${muid}: ${'é👋"\\ '.repeat(between(random, 0, 40))}`
    const outcomes = await Promise.all(
      Array.from({ length: this.echo }, () =>
        this.#request(conversation, muid, { text, metadata: { b: 1, a: [text] } }),
      ),
    )
    const ids = new Set(outcomes.flatMap((outcome) => (typeof outcome === 'object' ? outcome.id : [])))
    if (ids.size > 1) this.#chronicle.wrong(`${muid} was accepted as ${[...ids].join(' and as ')}`)
    const [first = 'unknown'] = outcomes
    return outcomes.find((outcome) => typeof outcome === 'object') ?? (outcomes.includes('unknown') ? 'unknown' : first)
  }

  async #request({ sender, receiver, receiverType }: Conversation, muid: string, data: object): Promise<Outcome> {
    const body = { receiver, receiverType, muid, data }
    try {
      const { data: message } = await this.#server.client.request<{ id: string }>('POST', '/messages', {
        body,
        onBehalfOf: sender,
      })
      return { id: message.id }
    } catch (error) {
      if (!(error instanceof ConfabError)) return isNobodyThere(error) ? 'never' : 'unknown'
      if (error.status < 500) this.#chronicle.wrong(`a message was refused: ${error.message}`)
      return 'refused'
    }
  }
}
