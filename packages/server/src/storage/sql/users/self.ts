/** What users change of themself, in one transaction: their profile, and what a token of theirs says of its device. */
import type { AppId, Uid } from '@confab/protocol'
import { AppError } from '../../../kernel/app-error.ts'
import { jsonText } from '../../../kernel/json.ts'
import { statement, type Tx, write } from '../seam.ts'
import { requireUser } from './user-rows.ts'
import { changeProfile, type Profile } from './users.ts'

interface TokenOf {
  readonly appId: AppId
  readonly uid: Uid
  readonly now: number
}

export interface SelfDevice {
  readonly token: string
  readonly platform?: string
  /** Takes its place beside the keys that are there: a device that logs in says nothing of its push notifications. */
  readonly appInfo: Readonly<Record<string, unknown>>
}

/** Devices of one user may share a token: what they say at once must not get lost. */
const lockToken = statement<
  { app: string; uid: string; token: string },
  { platform: string | null; app_info: string | null }
>(
  'tokens.lock',
  `SELECT platform, app_info FROM auth_tokens WHERE token = :token AND app_id = :app AND uid = :uid {FOR_UPDATE}`,
)
const describeToken = statement<{ token: string; platform: string | null; appInfo: string | null }>(
  'tokens.describe',
  'UPDATE auth_tokens SET platform = :platform, app_info = :appInfo WHERE token = :token',
)

const describe = async (
  tx: Tx,
  { appId: app, uid }: TokenOf,
  { token, platform, appInfo }: SelfDevice,
): Promise<void> => {
  if (platform === undefined && Object.keys(appInfo).length === 0) return
  const row = await tx.first(lockToken, { app, uid, token })
  // Deleted a moment ago, while it was still believed.
  if (row === undefined) throw new AppError('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
  const known = row.app_info === null ? {} : (JSON.parse(row.app_info) as Record<string, unknown>)
  const text = jsonText({ ...known, ...appInfo }, { field: 'appInfo', bytes: tx.limits.metadataBytes })
  await tx.run(describeToken, { token, platform: platform ?? row.platform, appInfo: text })
}

export const self = {
  changeSelf: write(
    async (tx, input: TokenOf & { profile: Partial<Omit<Profile, 'role'>>; device?: SelfDevice }): Promise<void> => {
      const { appId, uid, now, profile, device } = input
      await requireUser(tx, appId, uid)
      if (device !== undefined) await describe(tx, input, device)
      if (Object.keys(profile).length > 0) await changeProfile(tx, { ...profile, appId, uid, now })
    },
  ),
}
