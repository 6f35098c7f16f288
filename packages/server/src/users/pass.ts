/**
 * What a client shows to the gateway in place of its auth token (`jwt` of `PUT /me`). Clients hand it to others, so it is
 * not the token and does not lead to it; it is made from the token alone, so every node takes it, after every restart,
 * and for exactly as long as the token is there.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type AppId, parseAppId, parseUid, type Uid } from '@confab/protocol'
import type { Store } from '../storage/store.ts'

interface Bearer {
  readonly appId: AppId
  readonly uid: Uid
  readonly authToken: string
}

const PURPOSE = 'confab gateway pass'
/** Longer than the longest ids make one. */
const LENGTH_MAX = 1024

const inBase64 = (text: string): string => Buffer.from(text).toString('base64url')

export const passOf = ({ appId, uid, authToken }: Bearer): string =>
  [inBase64(appId), inBase64(uid), createHmac('sha256', authToken).update(PURPOSE).digest('base64url')].join('.')

const namedIn = (pass: string): { appId: AppId; uid: Uid } | undefined => {
  if (pass.length > LENGTH_MAX) return undefined
  const [app, uid, seal, ...rest] = pass.split('.')
  if (app === undefined || uid === undefined || seal === undefined || rest.length > 0) return undefined
  const texts = [app, uid].map((part) => Buffer.from(part, 'base64url').toString())
  // No store can be asked for such a text.
  if (texts.some((text) => text === '' || text.includes('\0'))) return undefined
  return { appId: parseAppId(texts[0] ?? ''), uid: parseUid(texts[1] ?? '') }
}

const isSame = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other)

/** Whose pass it is; nobody's if the token is gone, or its user is deactivated or deleted. */
export const makeCheckPass =
  ({ store }: { store: Pick<Store, 'authTokens'> }): ((pass: string) => Promise<Bearer | undefined>) =>
  async (pass) => {
    const named = namedIn(pass)
    if (named === undefined) return undefined
    const given = Buffer.from(pass)
    let bearer: Bearer | undefined
    // All are compared, whichever fits: how long it takes tells nothing of any.
    for (const authToken of await store.authTokens.ofUser(named)) {
      const candidate = { ...named, authToken }
      if (isSame(Buffer.from(passOf(candidate)), given)) bearer = candidate
    }
    return bearer
  }
