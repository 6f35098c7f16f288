import { type AppId, type BotTyping, parseGuid, parseUid, type Uid } from '@confab/protocol'
import type { Client } from '../kernel/client.ts'
import { jsonText } from '../kernel/json.ts'
import type { Live } from '../live/live.ts'
import type { Store } from '../storage/store.ts'
import { userEntity } from '../users/user.ts'

/** Shows to whom a bot writes that it is about to say something. Nothing of it is kept. */
export type TypeAsBot = (input: { appId: AppId; uid: Uid; client: Client }, body: BotTyping) => Promise<void>

/** @throws as a message of the bot would: to somebody who is not there or has blocked it, in a group that it is not in */
export const makeTypeAsBot =
  ({ store, live }: { store: Pick<Store, 'bots' | 'sessions'>; live: Pick<Live, 'typing'> }): TypeAsBot =>
  async ({ appId, uid, client }, { receiver, receiverType, action = 'started', metadata }) => {
    await store.bots.find({ appId, uid })
    const partner =
      receiverType === 'group'
        ? ({ kind: 'group', guid: parseGuid(receiver) } as const)
        : ({ kind: 'user', uid: parseUid(receiver) } as const)
    const user = await store.sessions.reach({ actor: { kind: 'user', appId, uid }, partner })
    const target = { receiverType, receiver: partner.kind === 'group' ? partner.guid : partner.uid }
    const passing = { from: uid, fromJson: JSON.stringify(userEntity(user)), target }
    live.typing({ appId, deviceId: client.resource }, passing, action, jsonText(metadata) ?? undefined)
  }
