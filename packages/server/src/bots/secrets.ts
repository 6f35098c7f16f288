/** What of a bot is sealed in the store, and what of it counts at a moment. */
import type { AppId, Uid } from '@confab/protocol'
import type { StoredCallback } from '../delivery/attempt.ts'
import type { Place, Vault } from '../kernel/vault.ts'

interface BotId {
  readonly appId: AppId
  readonly uid: Uid
}

/** The previous secret is the value that was the current one, moved by the store, which cannot seal it anew. */
export const secretPlace = ({ appId, uid }: BotId): Place => [appId, uid, 'signing_secret']
export const passwordPlace = ({ appId, uid }: BotId): Place => [appId, uid, 'password']

export interface OpenedCallback {
  /** Every secret that is valid, newest first. */
  readonly secrets: readonly string[]
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

/**
 * @param now unix seconds
 * @throws {SealedValueError}
 */
export const openCallback = (vault: Vault, callback: StoredCallback, now: number): OpenedCallback => {
  const { appId, bot: uid, credentials, previousSecret } = callback
  const id = { appId, uid }
  const stored = [...callback.secrets]
  if (previousSecret !== undefined && now < previousSecret.expiresAt) stored.push(previousSecret.secret)
  return {
    secrets: stored.map((secret) => vault.open(secret, secretPlace(id))),
    credentials: credentials && {
      username: credentials.username,
      password: vault.open(credentials.password, passwordPlace(id)),
    },
  }
}
