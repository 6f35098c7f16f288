/** A server, the people of the tests, and their browsers. */
import { readFileSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import { Agent, request } from 'undici'
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest'
import type { Json } from '../../support/api.ts'
import { describeEngines, type Engine, startServer, type TestServer } from '../../support/server.ts'
import { howToLaunch } from './browser.ts'
import type { SdkVersion } from './setup.ts'
import { openSite, type Site } from './site.ts'
import { Tab } from './tab.ts'
import { Wire } from './wire.ts'

export interface EnterOptions {
  readonly sdk?: SdkVersion
  /** `all`, `friends`, `none`, or roles. */
  readonly presence?: string
  readonly socket?: 'no'
  /** An existing one: another tab of the same browser. */
  readonly context?: BrowserContext
  /** In place of the auth key. */
  readonly token?: string
}

export interface SuiteOptions {
  readonly sdk?: SdkVersion
  readonly env?: Readonly<Record<string, string>>
  /** The server stands under this name, at the port that needs no naming; else under localhost, at some port. */
  readonly host?: string
}

/** The host, and those below it, which extensions have. */
const hostRules = (host: string, port: number): string =>
  [host, `*.${host}`].map((pattern) => `MAP ${pattern}:443 127.0.0.1:${port}`).join(', ')

export class World {
  readonly server: TestServer
  readonly wire: Wire
  readonly sdk: SdkVersion
  /** What the SDK is told in place of the vendor's hosts. */
  readonly host: string
  readonly #site: Site
  readonly #browser: Browser
  readonly #tabs: Tab[] = []
  readonly #agent: Agent

  private constructor(parts: {
    server: TestServer
    wire: Wire
    site: Site
    browser: Browser
    sdk: SdkVersion
    agent: Agent
    host: string
  }) {
    this.server = parts.server
    this.wire = parts.wire
    this.sdk = parts.sdk
    this.host = parts.host
    this.#site = parts.site
    this.#browser = parts.browser
    this.#agent = parts.agent
  }

  static async open(engine: Engine, { sdk = '4.2.0', env = {}, host }: SuiteOptions): Promise<World> {
    const { sdks, browser: endpoint, cert, key } = inject('interop')
    let server: TestServer | undefined
    const wire = await Wire.open(() => Number(new URL(server?.url ?? '').port))
    const [site, browser] = await Promise.all([
      openSite(sdks),
      host === undefined
        ? chromium.connect(endpoint)
        : chromium.launch(howToLaunch(`--host-resolver-rules=${hostRules(host, wire.port)}`)),
    ])
    server = await startServer({
      engine,
      env: {
        CONFAB_TLS_CERT: cert,
        CONFAB_TLS_KEY: key,
        CONFAB_CORS_ORIGINS: site.origin,
        ...env,
      },
    })
    const agent = new Agent({ connect: { ca: readFileSync(cert, 'utf8') } })
    return new World({ server, wire, site, browser, sdk, agent, host: host ?? `localhost:${wire.port}` })
  }

  /** What the app's own back end does, with its key. */
  async admin(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    onBehalfOf?: string,
  ): Promise<Json> {
    const { restApiKey, appId } = this.server
    const answer = await request(`https://localhost:${this.wire.port}/v3${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        ...{ apikey: restApiKey, appid: appId },
        ...(body && { 'content-type': 'application/json' }),
        ...(onBehalfOf && { onbehalfof: onBehalfOf }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.body.text()
    expect(answer.statusCode, `${method} ${path} answered ${text}`).toBe(200)
    return JSON.parse(text)
  }

  async users(...uids: string[]): Promise<void> {
    for (const uid of uids) {
      await this.admin('POST', '/users', { uid, name: `${uid[0]?.toUpperCase()}${uid.slice(1)}` })
    }
  }

  urlOf({ sdk = this.sdk, presence, socket }: EnterOptions = {}): string {
    const query = new URLSearchParams({
      ...{ app: this.server.appId, host: `${this.host}/v3` },
      ...(presence && { presence }),
      ...(socket && { socket }),
    })
    return `${this.#site.origin}/${sdk}?${query}`
  }

  /** The page, and nobody logged in yet. */
  async visit(name: string, options: EnterOptions = {}): Promise<Tab> {
    const context = options.context ?? (await this.#browser.newContext({ ignoreHTTPSErrors: true }))
    const tab = await Tab.open(name, context, this.urlOf(options))
    this.#tabs.push(tab)
    return tab
  }

  /** Logged in, and with a socket unless told. */
  async enter(uid: string, options: EnterOptions = {}): Promise<Tab> {
    const tab = await this.visit(uid, options)
    await (options.token === undefined ? tab.call('login', uid, this.server.authKey) : tab.call('login', options.token))
    if (options.socket !== 'no') await tab.online(1)
    return tab
  }

  /** What nobody caught in any page; told once. */
  takeErrors(): string[] {
    return this.#tabs.flatMap(({ name, errors }) => errors.splice(0).map((error) => `${name}: ${error}`))
  }

  async close(): Promise<void> {
    await this.#browser.close()
    this.#site.close()
    await this.wire.close()
    await this.#agent.close()
    await this.server.dispose()
  }
}

/** The suite on both engines; after each test, no page may have seen an error that nobody caught. */
export const describeInterop = (name: string, suite: (world: () => World) => void, options: SuiteOptions = {}): void =>
  describeEngines(`SDK ${options.sdk ?? '4.2.0'}: ${name}`, (engine) => {
    let world: World
    beforeAll(async () => {
      world = await World.open(engine, options)
    })
    afterEach(() => expect(world.takeErrors()).toEqual([]))
    afterAll(() => world?.close())
    suite(() => world)
  })
