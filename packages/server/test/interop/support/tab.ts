/** A page with the SDK in it, driven from outside: what it is told to call, what its listeners hear, what goes wrong in it. */
import type { BrowserContext, Page } from 'playwright-core'
import type { Json } from '../../support/api.ts'
import type { InPage } from './in-page.ts'

export interface Heard {
  readonly name: string
  readonly args: readonly Json[]
  isTaken: boolean
}

/** Runs in the page: it is sent as text, and sees nothing but its arguments. */
export type Script<A> = (sdk: Json, arg: A) => unknown

/** What a rejected promise of the SDK says. */
export class Rejected extends Error {
  readonly code: string
  readonly details: Json

  constructor(what: string, error: Json) {
    super(`${what} rejected: ${JSON.stringify(error)}`)
    this.code = String(error?.code ?? error?.name)
    this.details = error
  }
}

/** A promise of the SDK that has not settled by then never will. */
const SETTLES_WITHIN_MS = 20_000
const HEARS_WITHIN_MS = 20_000

const matches = (value: Json, wanted: Json): boolean => {
  if (typeof wanted === 'function') return Boolean(wanted(value))
  if (typeof wanted !== 'object' || wanted === null) return value === wanted
  return Object.entries(wanted).every(([key, part]) => matches(value?.[key], part))
}

const until = async <T>(what: () => string, look: () => T | undefined, withinMs: number): Promise<T> => {
  for (const end = Date.now() + withinMs; ; ) {
    const found = look()
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(what())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export class Tab {
  /** Who is to be logged in, for messages of the tests. */
  readonly name: string
  readonly page: Page
  /** Everything that its listeners heard, in order, over all loads. */
  readonly heard: Heard[] = []
  /** Errors that nobody caught, and rejections that nobody handled. */
  readonly errors: string[] = []
  /** How often the server has said that a socket is authenticated. */
  authenticated = 0
  /** Whether it has told what it has measured of the session, which it does some seconds after a login, and for nobody. */
  hasReported = false

  private constructor(name: string, page: Page) {
    this.name = name
    this.page = page
  }

  static async open(name: string, context: BrowserContext, url: string): Promise<Tab> {
    const page = await context.newPage()
    const tab = new Tab(name, page)
    page.on('pageerror', (error) => tab.errors.push(error.stack || `${error.name}: ${error.message}`))
    page.on('response', (response) => {
      if (response.url().endsWith('/user_sessions')) tab.hasReported = true
    })
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        if (/"type":"auth".*"code":"200"/s.test(String(payload))) tab.authenticated += 1
      }),
    )
    await page.exposeFunction('tell', (event: string, args: Json[]) => {
      tab.heard.push({ name: event, args, isTaken: false })
    })
    await page.goto(url)
    await tab.ready()
    return tab
  }

  async ready(): Promise<void> {
    await this.run('init', async () => {
      await (globalThis as unknown as { confab: InPage }).confab.ready
    })
  }

  /** A method of the SDK with arguments that are plain data. */
  call(method: string, ...args: unknown[]): Promise<Json> {
    return this.run(method, (sdk, { method, args }) => sdk[method](...args), { method, args })
  }

  /** @param what is called, for messages */
  async run<A>(what: string, script: Script<A>, arg?: A): Promise<Json> {
    const outcome = await this.page.evaluate(
      ([source, given, withinMs]) =>
        (globalThis as unknown as { confab: InPage }).confab.run(String(source), given, Number(withinMs)),
      [script.toString(), arg, SETTLES_WITHIN_MS] as const,
    )
    if ('hangs' in outcome) throw new Error(`${this.name}: ${what} does not settle; ${this.errors.join('\n')}`)
    if ('error' in outcome) throw new Rejected(`${this.name}: ${what}`, outcome.error)
    return outcome.value
  }

  /** The code of the rejection. */
  async fails<A>(what: string, script: Script<A>, arg?: A): Promise<string> {
    try {
      const value = await this.run(what, script, arg)
      throw new Error(`${this.name}: ${what} resolved: ${JSON.stringify(value)}`)
    } catch (error) {
      if (error instanceof Rejected) return error.code
      throw error
    }
  }

  /** The first that was heard under this name and has not been taken yet; what it was called with. */
  async event(name: string, wanted: Json = {}, withinMs = HEARS_WITHIN_MS): Promise<Json> {
    const found = await until(
      () => `${this.name} waited in vain for ${name} ${JSON.stringify(wanted)}; heard ${JSON.stringify(this.heard)}`,
      () => this.heard.find((one) => !one.isTaken && one.name === name && matches(one.args[0], wanted)),
      withinMs,
    )
    found.isTaken = true
    return found.args[0]
  }

  /** What has been heard so far, taken or not. */
  all(name: string, wanted: Json = {}): Json[] {
    return this.heard.filter((one) => one.name === name && matches(one.args[0], wanted)).map(({ args }) => args[0])
  }

  /** What was heard so far under this name is of no more interest. */
  forget(name: string): void {
    for (const one of this.heard) if (one.name === name) one.isTaken = true
  }

  /** The server has authenticated `count` sockets of this tab since it was opened. */
  async online(count: number, withinMs = HEARS_WITHIN_MS): Promise<void> {
    await until(
      () => `${this.name}: ${this.authenticated} sockets were authenticated, not ${count}`,
      () => (this.authenticated >= count ? true : undefined),
      withinMs,
    )
  }

  /** Nothing is under way any more: what fails from now on fails because of the test. */
  async reported(): Promise<void> {
    await until(
      () => `${this.name} has not reported`,
      () => (this.hasReported ? true : undefined),
      HEARS_WITHIN_MS,
    )
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.ready()
  }

  async close(): Promise<void> {
    await this.page.close()
  }
}
