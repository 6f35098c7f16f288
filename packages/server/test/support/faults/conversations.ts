/** Conversations, and how many may be pinned. */
import { defaultLimits } from '@confab/protocol'
import type { Api } from '../api.ts'
import { toGroup, toUser } from '../scene.ts'
import { type Faults, fresh } from './fault.ts'
import type { World } from './world.ts'

const makeTalking = async (api: Api, guid: string, owner: string): Promise<void> => {
  await api.ok('POST', '/groups', { body: { guid, name: guid, owner } })
  await api.ok('POST', '/messages', { onBehalfOf: owner, body: toGroup(guid) })
}

/** They are few, and belong to all. */
const unpinAll = async ({ api, ann }: Pick<World, 'api' | 'ann'>): Promise<void> => {
  const { data } = await api.ok('GET', '/conversations', { onBehalfOf: ann, query: { pinnedBy: 'system' } })
  for (const { conversationWith } of data) await api.ok('DELETE', `/groups/${conversationWith.guid}/conversation/pin`)
}

/** A group whose conversation is pinned for everybody. */
export const pinnedGroup = async (world: Pick<World, 'api' | 'ann'>): Promise<string> => {
  await unpinAll(world)
  const guid = fresh('pinned')
  await makeTalking(world.api, guid, world.ann)
  await world.api.ok('POST', `/groups/${guid}/conversation/pin`)
  return guid
}

/** As many groups as may be are pinned for everybody; answers one that is not. */
export const pinnedGroups = async (world: Pick<World, 'api' | 'ann'>): Promise<string> => {
  const { api, ann } = world
  await unpinAll(world)
  let guid = ''
  for (let n = 0; n <= defaultLimits.pinnedConversations; n++) {
    guid = fresh('pinned')
    await makeTalking(api, guid, ann)
    if (n < defaultLimits.pinnedConversations) await api.ok('POST', `/groups/${guid}/conversation/pin`)
  }
  return guid
}

/** Somebody who has pinned as many conversations as they may, and has one more, with bob. */
export const pinner = async ({ api, bob, group }: Pick<World, 'api' | 'bob' | 'group'>): Promise<string> => {
  const onBehalfOf = fresh('pinner')
  await api.ok('POST', '/users', { body: { uid: onBehalfOf, name: 'x' } })
  await api.ok('POST', `/groups/${group}/members`, { body: { participants: [onBehalfOf] } })
  for (const uid of await talkingTo({ api }, onBehalfOf)) {
    await api.ok('POST', `/users/${uid}/conversation/pin`, { onBehalfOf })
  }
  await api.ok('POST', '/messages', { onBehalfOf, body: toUser(bob) })
  return onBehalfOf
}

/** As many as may be pinned. */
const talkingTo = async ({ api }: Pick<World, 'api'>, onBehalfOf: string): Promise<readonly string[]> => {
  const uids = Array.from({ length: defaultLimits.pinnedConversations }, () => fresh('pal'))
  for (const uid of uids) {
    await api.ok('POST', '/users', { body: { uid, name: uid } })
    await api.ok('POST', '/messages', { onBehalfOf, body: toUser(uid) })
  }
  return uids
}

export const conversationFaults: Faults = {
  ERR_CONVERSATION_NOT_FOUND: ({ ann }) => ({ onBehalfOf: ann, names: { conversationId: 'group_nowhere' } }),
  ERR_CONVERSATION_NOT_ACCESSIBLE: async ({ api, ann, outsider }, { path }) => {
    const guid = fresh('silent')
    if (path.startsWith('/groups')) await api.ok('POST', '/groups', { body: { guid, name: guid, owner: ann } })
    return { onBehalfOf: ann, names: { uid: outsider, guid, conversationId: 'group_nowhere' } }
  },
  ERR_PINNED_CONVERSATIONS_LIMIT_EXCEEDED: async (world) => ({ onBehalfOf: await pinner(world) }),
  ERR_SYSTEM_PINNED_CONVERSATION: async (world) => ({
    onBehalfOf: world.ann,
    names: { guid: await pinnedGroup(world) },
  }),
  ERR_SYSTEM_PINNED_CONVERSATIONS_LIMIT_EXCEEDED: async (world) => ({
    isApp: true,
    names: { guid: await pinnedGroups(world) },
  }),
}
