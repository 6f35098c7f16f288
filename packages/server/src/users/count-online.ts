/** How many are online: what everybody may know of the app, and of the groups that they may see. */
import { type AppId, type Guid, limits, parseGuid, type Uid } from '@confab/protocol'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Store } from '../storage/store.ts'

export interface OnlineCounts {
  readonly onlineUsersCount: number
  readonly groups: Readonly<Record<string, number>>
}

export type CountOnline = (who: { appId: AppId; uid: Uid }, guids: readonly string[]) => Promise<OnlineCounts>

/** No store can be asked for other texts. */
const couldBe = (text: string): boolean => text.length <= limits.guidLength && !text.includes('\0')

/** Groups that are not there for whoever asks are left out: the answer tells nobody that they are there. */
export const makeCountOnline =
  ({ store }: { store: Pick<Store, 'groups' | 'presence'> }): CountOnline =>
  async ({ appId, uid }, texts) => {
    if (texts.length > limits.onlineGroups) throw badRequest({ groups: `must not be more than ${limits.onlineGroups}` })
    const actor = { kind: 'user' as const, appId, uid }
    const isSeen = async (guid: Guid): Promise<boolean> => {
      try {
        await store.groups.find({ actor, guid })
        return true
      } catch (error) {
        if (error instanceof AppError) return false
        throw error
      }
    }
    const guids: Guid[] = []
    for (const guid of new Set(texts.filter(couldBe).map(parseGuid))) if (await isSeen(guid)) guids.push(guid)
    const { users, groups } = await store.presence.count({ appId, guids })
    return { onlineUsersCount: users, groups }
  }
