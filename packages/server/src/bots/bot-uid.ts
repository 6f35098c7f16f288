import { parseUid, type Uid, webhookIdOf } from '@confab/protocol'
import { AppError } from '../kernel/app-error.ts'

/** As a path names a bot: webhooks, which are called in the same way, are none. */
export const botUidOf = (text: string): Uid => {
  const uid = parseUid(text)
  if (webhookIdOf(uid) !== undefined) throw new AppError('ERR_BOT_NOT_FOUND', { details: { uid } })
  return uid
}
