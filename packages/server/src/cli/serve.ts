import { compose } from '../compose.ts'
import { readConfig } from './configuration.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { makeLog } from './log.ts'
import { untilStopped } from './until-stopped.ts'

export const serve = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const config = readConfig(args, env)
  if (config === undefined) return exitCodes.badConfig
  const log = makeLog(config.logLevel)
  const server = await compose(config, { log })
  const apps = await server.store.apps.list({})
  // From here to the handlers of signals nothing waits: who is told that it listens may tell it to stop.
  log.info({ url: server.url, engine: server.store.engine, roles: config.roles }, 'server.listening')
  if (apps.length === 0) {
    log.warn({ fix: 'Set CONFAB_APP_ID and CONFAB_REST_API_KEY to create one.' }, 'server.no_app')
  }
  await untilStopped(server, log)
  log.info({}, 'server.stopped')
  log.flush()
  return exitCodes.ok
}
