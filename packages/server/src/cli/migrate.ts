import { openVault } from '../bots/open-vault.ts'
import { resealSecrets } from '../bots/reseal.ts'
import { limitsOf } from '../config/limits.ts'
import { systemClock } from '../kernel/clock.ts'
import { openStore } from '../storage/open-store.ts'
import { readConfig } from './configuration.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { makeLog } from './log.ts'

/**
 * Brings the schema up to date, seals with the master key in force what is not, and ends: for deployments that do so
 * before the new program starts, and for the last step of a change of keys.
 */
export const migrate = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> => {
  const config = readConfig(args, env)
  if (config === undefined) return exitCodes.badConfig
  const log = makeLog('warn')
  const { store, migration } = await openStore({ ...config, limits: limitsOf(config), log })
  try {
    const { before, after } = migration
    console.log(
      before === after ? `Schema version ${after}: up to date.` : `Schema migrated from version ${before} to ${after}.`,
    )
    const vault = await openVault({ ...config, store, clock: systemClock })
    const sealed = await resealSecrets({ store, vault, log })
    if (sealed > 0) console.log(`Secrets encrypted with the master key ${vault.keyId}: ${sealed}.`)
  } finally {
    await store.close()
    log.flush()
  }
  return exitCodes.ok
}
