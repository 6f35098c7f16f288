/**
 * A server to try things with: embedded store, callbacks to this machine allowed, an app with people, a group and a
 * real echo bot, which runs as a process of its own and speaks to the server as any bot does.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ConfabClient, ConfabError } from '@confab/bot-sdk'
import { type AppId, type KeyScope, parseAppId } from '@confab/protocol'
import { compose, type Server } from '../compose.ts'
import { type Config, developmentDefaults } from '../config/schema.ts'
import { systemClock, toSeconds } from '../kernel/clock.ts'
import { readConfig } from './configuration.ts'
import { makeDevLog } from './dev-log.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { untilStopped } from './until-stopped.ts'

interface DevApp {
  readonly appId: AppId
  readonly restApiKey: string
  readonly authKey: string
}

const people = [
  { uid: 'ann', name: 'Ann' },
  { uid: 'bob', name: 'Bob' },
  { uid: 'cara', name: 'Cara' },
  { uid: 'echo', name: 'Echo' },
] as const
const group = { guid: 'lounge', name: 'Lounge', type: 'public' } as const

const keyOf = async ({ store, ids }: Server, appId: AppId, scope: KeyScope): Promise<string> => {
  const { rows } = await store.apiKeys.list({ appId, scope, page: { page: 1, perPage: 1 } })
  return rows[0]?.apiKey ?? ids.apiKey()
}

/** The app of the configuration, or `dev`; keys stay the same from one start to the next. */
const ensureApp = async (server: Server, config: Config): Promise<DevApp> => {
  const appId = config.appId ?? parseAppId('dev')
  const restApiKey = config.restApiKey ?? (await keyOf(server, appId, 'fullAccess'))
  const authKey = config.authKey ?? (await keyOf(server, appId, 'authOnly'))
  await server.store.apps.ensure({
    id: appId,
    name: 'Development',
    keys: [
      { key: restApiKey, name: 'Rest API Key', scope: 'fullAccess' },
      { key: authKey, name: 'Auth Key', scope: 'authOnly' },
    ],
    now: toSeconds(systemClock.now()),
  })
  return { appId, restApiKey, authKey }
}

const unlessThere = async (work: Promise<unknown>): Promise<void> => {
  await work.catch((error: unknown) => {
    const isThere = error instanceof ConfabError && /_ALREADY_EXISTS$|_ALREADY_JOINED$/.test(error.code)
    if (!isThere) throw error
  })
}

const seed = async (client: ConfabClient): Promise<void> => {
  for (const person of people) await unlessThere(client.createUser(person))
  const participants = people.map(({ uid }) => uid).filter((uid) => uid !== 'ann')
  await unlessThere(client.createGroup({ ...group, owner: 'ann', members: { participants } }))
}

/** The bot that ships with the SDK, as it ships. */
const startEchoBot = (url: string, { appId, restApiKey }: DevApp): Promise<ChildProcess> => {
  const source = new URL(import.meta.resolve('@confab/bot-sdk'))
  const file = new URL(`../examples/echo-bot${source.pathname.endsWith('.ts') ? '.ts' : '.js'}`, source)
  if (!existsSync(file)) throw new Error(`the echo bot is missing: ${fileURLToPath(file)}`)
  const child = fork(fileURLToPath(file), {
    env: { CONFAB_URL: url, CONFAB_APP_ID: appId, CONFAB_REST_API_KEY: restApiKey },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the echo bot ended with ${code}`)))
  })
}

const banner = (url: string, { appId, restApiKey, authKey }: DevApp): string => `
Confab is running at ${url}

  app id           ${appId}
  REST API key     ${restApiKey}   (fullAccess)
  auth key         ${authKey}   (authOnly)
  people           ${people.map(({ uid }) => uid).join(', ')}; all of them in the group ${group.guid}
  bot              echo: answers what it is told; in groups when it is mentioned

Try it:

  curl -s ${url}/v3/messages -H 'apikey: ${restApiKey}' -H 'onBehalfOf: ann' -H 'content-type: application/json' -d '{"receiver":"echo","receiverType":"user","data":{"text":"Hello!"}}'
  curl -s ${url}/v3/messages -H 'apikey: ${restApiKey}' -H 'onBehalfOf: bob' -H 'content-type: application/json' -d '{"receiver":"lounge","receiverType":"group","data":{"text":"<@uid:echo> are you there?"}}'
  curl -s ${url}/v3/users/echo/messages -H 'apikey: ${restApiKey}' -H 'onBehalfOf: ann'

API description: ${url}/openapi.json · stop with Ctrl+C
`

export const dev = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const config = readConfig(args, env, developmentDefaults)
  if (config === undefined) return exitCodes.badConfig
  const log = makeDevLog()
  // The lines of the preparation would only hide what the person is to read first.
  let isReady = false
  const server = await compose(config, { log: { ...log, info: (fields, event) => isReady && log.info(fields, event) } })
  const app = await ensureApp(server, config)
  const client = new ConfabClient({ url: server.url, apiKey: app.restApiKey, appId: app.appId })
  await seed(client)
  const bot = await startEchoBot(server.url, app)
  console.log(banner(server.url, app))
  isReady = true
  let isStopping = false
  bot.once('exit', (code, signal) => {
    if (!isStopping)
      console.error(`The echo bot has ended (${signal ?? code}); confab dev, started again, has it back.`)
  })
  await untilStopped(
    {
      stop: async () => {
        isStopping = true
        await server.stop()
        bot.kill('SIGTERM')
      },
      abort: async () => {
        bot.kill('SIGKILL')
        await server.abort()
      },
    },
    log,
  )
  return exitCodes.ok
}
