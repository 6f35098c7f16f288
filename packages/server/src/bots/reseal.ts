import type { Logger } from '../kernel/logger.ts'
import { SealedValueError, type Vault } from '../kernel/vault.ts'
import type { Resealed, SealedBot, SealedColumn } from '../storage/sql/apps/master-keys.ts'
import type { Store } from '../storage/store.ts'
import { passwordPlace, secretPlace } from './secrets.ts'

const PAGE = 200
const columns: readonly SealedColumn[] = ['signing_secret', 'previous_secret', 'password']

const placeOf = (column: SealedColumn, { app_id: appId, uid }: SealedBot) =>
  column === 'password' ? passwordPlace({ appId, uid }) : secretPlace({ appId, uid })

/**
 * Seals with the current key whatever another has sealed, or nobody; then takes the other keys off the store, which can
 * be thrown away. To be run when no process seals with another key any more. Answers how many values were sealed.
 */
export const resealSecrets = async (deps: {
  store: Pick<Store, 'masterKeys'>
  vault: Vault
  log: Logger
}): Promise<number> => {
  const { store, vault, log } = deps
  if (vault.keyId === undefined) return 0
  let count = 0
  let unreadable = 0

  const resealed = (bot: SealedBot, column: SealedColumn): Resealed | undefined => {
    const from = bot[column]
    if (from === null || vault.isCurrent(from)) return undefined
    const { app_id: appId, uid } = bot
    const place = placeOf(column, bot)
    try {
      return { appId, uid, column, from, to: vault.seal(vault.open(from, place), place) }
    } catch (error) {
      if (!(error instanceof SealedValueError)) throw error
      // One damaged value must not keep the server from starting.
      unreadable++
      log.error({ appId, uid, column, why: error.message }, 'bot.secret_unreadable')
      return undefined
    }
  }

  for (let after = { appId: '', uid: '' }; ; ) {
    const bots = await store.masterKeys.sealed({ after, limit: PAGE })
    const values = bots
      .flatMap((bot) => columns.map((column) => resealed(bot, column)))
      .filter((value) => value !== undefined)
    if (values.length > 0) count += await store.masterKeys.reseal({ values })
    const last = bots.at(-1)
    if (last === undefined || bots.length < PAGE) break
    after = { appId: last.app_id, uid: last.uid }
  }
  if (unreadable === 0) {
    const others = (await store.masterKeys.list({})).filter(({ id }) => id !== vault.keyId)
    for (const { id } of others) await store.masterKeys.remove({ id })
  }
  return count
}
