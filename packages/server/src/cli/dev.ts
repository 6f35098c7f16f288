/**
 * A server to try things with: embedded store, callbacks to this machine allowed, an app with people, a group and a
 * real echo bot, which runs as a process of its own and speaks to the server as any bot does.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { ConfabClient, ConfabError } from '@confab/bot-sdk'
import { type AppId, type KeyScope, parseAppId } from '@confab/protocol'
import { compose, type Server } from '../compose.ts'
import { type Config, developmentDefaults } from '../config/schema.ts'
import { systemClock, toSeconds } from '../kernel/clock.ts'
import { developmentCertificate } from '../tls/development.ts'
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
const startEchoBot = (
  url: string,
  { appId, restApiKey }: DevApp,
  certFile: string | undefined,
): Promise<ChildProcess> => {
  const source = new URL(import.meta.resolve('@confab/bot-sdk'))
  const file = new URL(`../examples/echo-bot${source.pathname.endsWith('.ts') ? '.ts' : '.js'}`, source)
  if (!existsSync(file)) throw new Error(`the echo bot is missing: ${fileURLToPath(file)}`)
  const child = fork(fileURLToPath(file), {
    env: {
      CONFAB_URL: url,
      CONFAB_APP_ID: appId,
      CONFAB_REST_API_KEY: restApiKey,
      ...(certFile && { NODE_EXTRA_CA_CERTS: certFile }),
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the echo bot ended with ${code}`)))
  })
}

/** A path as a shell takes it. */
const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

const howToTrust = (certFile: string): string => `
The certificate is one of its own, ${certFile}: good for localhost and the name of this machine, and for nothing
else. Browsers warn of it once, or trust it when it is added to their certificates; Node.js trusts it with
NODE_EXTRA_CA_CERTS=${quoted(certFile)}, curl with --cacert.
`

const banner = (url: string, { appId, restApiKey, authKey }: DevApp, certFile: string | undefined): string => {
  const curl = certFile === undefined ? 'curl -s' : `curl -s --cacert ${quoted(certFile)}`
  return `
Confab is running at ${url}

  app id           ${appId}
  REST API key     ${restApiKey}   (fullAccess)
  auth key         ${authKey}   (authOnly)
  people           ${people.map(({ uid }) => uid).join(', ')}; all of them in the group ${group.guid}
  bot              echo: answers what it is told; in groups when it is mentioned

Try it:

  ${curl} ${url}/v3/messages -H 'apikey: ${restApiKey}' -H 'onBehalfOf: ann' -H 'content-type: application/json' -d '{"receiver":"echo","receiverType":"user","data":{"text":"Hello!"}}'
  ${curl} ${url}/v3/messages -H 'apikey: ${restApiKey}' -H 'onBehalfOf: bob' -H 'content-type: application/json' -d '{"receiver":"lounge","receiverType":"group","data":{"text":"<@uid:echo> are you there?"}}'
  ${curl} ${url}/v3/users/echo/messages -H 'apikey: ${restApiKey}' -H 'onBehalfOf: ann'

${
  certFile === undefined
    ? ''
    : `${howToTrust(certFile).trimStart()}
`
}API description: ${url}/openapi.json · stop with Ctrl+C
`
}

/** A certificate that is configured stays: then there is nothing to make, and who configured it knows how to trust it. */
const withTls = async (config: Config): Promise<{ config: Config; certFile: string | undefined }> => {
  if (config.tlsCert !== undefined) return { config, certFile: undefined }
  const { certFile, keyFile } = await developmentCertificate(config.dataDir, systemClock.now())
  // What is done here at the start is done over https, too.
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(certFile, 'utf8')])
  return { config: { ...config, tlsCert: certFile, tlsKey: keyFile }, certFile }
}

export const dev = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const given = readConfig(
    args.filter((arg) => arg !== '--tls'),
    env,
    developmentDefaults,
  )
  if (given === undefined) return exitCodes.badConfig
  const { config, certFile } = args.includes('--tls') ? await withTls(given) : { config: given, certFile: undefined }
  const log = makeDevLog()
  // The lines of the preparation would only hide what the person is to read first.
  let isReady = false
  const server = await compose(config, { log: { ...log, info: (fields, event) => isReady && log.info(fields, event) } })
  const app = await ensureApp(server, config)
  const client = new ConfabClient({ url: server.url, apiKey: app.restApiKey, appId: app.appId })
  await seed(client)
  const bot = await startEchoBot(server.url, app, certFile)
  console.log(banner(server.url, app, certFile))
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
