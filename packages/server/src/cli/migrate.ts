import { openStore } from '../storage/open-store.ts'
import { readConfig } from './configuration.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { makeLog } from './log.ts'

/** Brings the schema up to date and ends: for deployments that do so before the new program starts. */
export const migrate = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const config = readConfig(args, env)
  if (config === undefined) return exitCodes.badConfig
  const { store, migration } = await openStore({ ...config, log: makeLog('warn') })
  await store.close()
  const { before, after } = migration
  console.log(
    before === after ? `Schema version ${after}: up to date.` : `Schema migrated from version ${before} to ${after}.`,
  )
  return exitCodes.ok
}
