/** A bot that fetches what it is to hear, one update at a time, and notes it when it is known to be acknowledged. */
import { ConfabError } from '../../packages/bot-sdk/src/index.ts'
import type { Callback, Update } from '../../packages/protocol/src/index.ts'
import type { Run } from './run.ts'
import { pause } from './wait.ts'

const LONG_POLL_SECONDS = 1
const AGAIN_MS = 30

export class Puller {
  readonly #run: Run
  readonly #bot: string
  readonly #stopped = new AbortController()
  readonly #done: Promise<void>
  #held: Update | undefined

  constructor(run: Run, bot: string) {
    this.#run = run
    this.#bot = bot
    this.#done = this.#pull()
  }

  /** What it has is acknowledged, or known not to be known. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#done
  }

  async #pull(): Promise<void> {
    while (!this.#stopped.signal.aborted) await this.#round(() => this.#fetch())
    while (this.#held !== undefined) await this.#round(() => this.#acknowledge())
  }

  async #round(work: () => Promise<void>): Promise<void> {
    await this.#run.server.up()
    try {
      await work()
    } catch (error) {
      // It may have been heard, and may come again.
      this.#note({ unheard: true })
      const isAnswer = error instanceof ConfabError && error.status < 500
      // Whoever fetched from the server that died has its place for as long as its lease.
      if (isAnswer && error.code !== 'ERR_BOT_ALREADY_CONSUMED') {
        this.#run.chronicle.wrong(`updates were refused: ${error.message}`)
      }
      await pause(AGAIN_MS)
    }
  }

  async #fetch(): Promise<void> {
    const offset = this.#held?.offset
    const { data } = await this.#run.client.request<Update[]>('GET', `/bots/${this.#bot}/updates`, {
      query: { limit: 1, timeoutSeconds: LONG_POLL_SECONDS, ...(offset !== undefined && { offset }) },
    })
    this.#note({ unheard: false })
    this.#held = data[0]
  }

  async #acknowledge(): Promise<void> {
    await this.#run.client.request('POST', `/bots/${this.#bot}/updates/acknowledge`, {
      body: { offset: this.#held?.offset },
    })
    this.#note({ unheard: false })
  }

  #note({ unheard }: { unheard: boolean }): void {
    const update = this.#held
    if (update === undefined) return
    this.#held = undefined
    const { data } = update.callback as Callback
    const { chronicle } = this.#run
    chronicle.arrivals.push({
      bot: this.#bot,
      deliveryId: update.id,
      conversationId: data.conversationId,
      muid: String(data.muid),
      messageId: data.id,
      sequence: update.sequence,
      previousSequence: update.previousSequence,
      life: chronicle.life,
      ok: true,
      unheard,
      answer: 'fetched',
      atMs: Math.round(performance.now()),
    })
  }
}
