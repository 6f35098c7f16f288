/** Looks at everything that a server needs before it starts, and says what it finds. Changes nothing but the schema, and makes the folders of files. */
import { lookup } from 'node:dns/promises'
import { createServer } from 'node:net'
import { checkMasterKey } from '../bots/open-vault.ts'
import { openBus } from '../bus/open-bus.ts'
import { limitsOf } from '../config/limits.ts'
import { printRedacted } from '../config/render.ts'
import type { Config } from '../config/schema.ts'
import { openFileStore } from '../files/open-file-store.ts'
import { AppError } from '../kernel/app-error.ts'
import { systemClock } from '../kernel/clock.ts'
import { openStore } from '../storage/open-store.ts'
import { readPair } from '../tls/pair.ts'
import { VERSION } from '../version.ts'
import { readConfig } from './configuration.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { makeLog } from './log.ts'

interface Check {
  readonly name: string
  /** What was found; rejects with what is wrong. */
  run(config: Config): Promise<string>
}

const canListen = ({ host, port }: Config): Promise<string> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(error.code === 'EADDRINUSE' ? `port ${port} is in use` : error.message)),
    )
    server.listen(port, host, () => server.close(() => resolve(`${host}:${port} is free`)))
  })

const canStore = async (config: Config): Promise<string> => {
  const started = performance.now()
  const { store, migration } = await openStore({ ...config, limits: limitsOf(config), log: makeLog('silent') })
  try {
    await checkMasterKey({ ...config, store })
    const apps = await store.apps.list({})
    const { pending } = await store.lanes.backlog({})
    const ms = Math.round(performance.now() - started)
    return `${store.engine}, schema version ${migration.after}, apps: ${apps.length}, callbacks pending: ${pending} (${ms} ms)`
  } finally {
    await store.close()
  }
}

const BUS_PATIENCE_MS = 3000

const canTalk = async ({ busUrl, databaseUrl }: Config): Promise<string> => {
  const bus = await openBus({ busUrl, databaseUrl, log: makeLog('silent') })
  try {
    const until = performance.now() + BUS_PATIENCE_MS
    while (bus.status() === 'down' && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50))
    if (bus.status() === 'down')
      throw new Error('no connection; the server would start, and look for work once a second')
    return busUrl !== undefined
      ? 'NATS answers'
      : databaseUrl !== undefined
        ? 'PostgreSQL carries it'
        : 'within the process'
  } finally {
    await bus.close()
  }
}

const canSpeakTls = async ({ tlsCert, tlsKey }: Config): Promise<string> => {
  if (tlsCert === undefined || tlsKey === undefined) return 'not here: the server speaks http'
  const { notAfterMs } = await readPair({ certFile: tlsCert, keyFile: tlsKey }, systemClock.now())
  return `the certificate is good until ${new Date(notAfterMs).toISOString()}`
}

const canKeepFiles = async (config: Config): Promise<string> => {
  const files = openFileStore(config, { log: makeLog('silent') })
  try {
    return await files.check()
  } finally {
    await files.close()
  }
}

const checks: readonly Check[] = [
  { name: 'Node.js', run: async () => process.version },
  { name: 'Address', run: canListen },
  { name: 'TLS', run: canSpeakTls },
  { name: 'Store', run: canStore },
  { name: 'Files', run: canKeepFiles },
  { name: 'Bus', run: canTalk },
  {
    name: 'Names',
    run: async () => {
      await lookup('localhost')
      return 'the resolver answers'
    },
  },
  {
    name: 'Callbacks',
    run: async ({ callbackAllowCidrs }) =>
      callbackAllowCidrs.length === 0
        ? 'to public addresses only'
        : `to public addresses, and to ${callbackAllowCidrs.join(', ')}`,
  },
]

/** What is told to clients says too little here: what caused it is wanted. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error instanceof AppError && error.cause instanceof Error ? reasonOf(error.cause) : error.message
}

export const doctor = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const config = readConfig(args, env)
  if (config === undefined) return exitCodes.badConfig
  console.log(`Confab ${VERSION}\n\n${printRedacted(config)}\n`)
  let failed = 0
  for (const { name, run } of checks) {
    const found = await run(config).then(
      (text) => `ok    ${name}: ${text}`,
      (error: unknown) => {
        failed++
        return `FAIL  ${name}: ${reasonOf(error)}`
      },
    )
    console.log(found)
  }
  console.log(failed === 0 ? '\nEverything is in order.' : `\n${failed} of ${checks.length} checks failed.`)
  return failed === 0 ? exitCodes.ok : exitCodes.failed
}
