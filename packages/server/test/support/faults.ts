/** Every error of every route, produced: a request that would be right, and what makes it fail. */
import { defaultLimits, type ErrorCode } from '@confab/protocol'
import type { Route } from '../../src/http/route.ts'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import type { Api, CallOptions, Json } from './api.ts'
import { call, callBody, change, makeCaller, type Status, sessionIn } from './calling.ts'
import { sampleOf } from './cases.ts'
import { openStream } from './pulling.ts'
import { nameOf } from './routes.ts'
import { makeScene, type Scene, toGroup, toUser } from './scene.ts'

export interface World extends Scene {
  readonly api: Api
  readonly outsider: string
  /** Ann and the bot have blocked them. */
  readonly shunned: string
  /** They have blocked ann and the bot. */
  readonly shunner: string
  readonly banned: string
  /** Nobody of the scene has joined it. */
  readonly quiet: string
  readonly apiKey: string
  readonly authToken: string
  /** From ann to bob, and a reply to it, and what tells of its edit. */
  readonly message: string
  readonly reply: string
  readonly action: string
  readonly image: string
  readonly custom: string
  /** A call of two who are not of the scene. */
  readonly session: string
}

const attachments = [{ url: 'https://x.example/a' }]

export const makeWorld = async (api: Api): Promise<World> => {
  const scene = await makeScene(api)
  // Before the app has all the bots that it may have.
  await makeFetcher(api)
  const { ann, bob, group } = scene
  const [outsider, banned, quiet, shunned, shunner] = ['outsider', 'banned', 'quiet', 'shunned', 'shunner']
  const quietOne = 'quiet-one'
  for (const uid of [outsider, banned, shunned, shunner, quietOne])
    await api.ok('POST', '/users', { body: { uid, name: uid } })
  await api.ok('POST', `/groups/${group}/bannedusers/${banned}`)
  for (const uid of [ann, scene.bot]) {
    await api.ok('POST', `/users/${uid}/blockedusers`, { body: { blockedUids: [shunned] } })
  }
  await api.ok('POST', `/users/${shunner}/blockedusers`, { body: { blockedUids: [ann, scene.bot] } })
  await api.ok('POST', '/groups', { body: { guid: quiet, name: quiet } })
  const send = async (body: object): Promise<string> =>
    (await api.ok('POST', '/messages', { body, onBehalfOf: ann })).data.id
  const message = await send(toUser(bob))
  return {
    ...scene,
    ...{ api, outsider, banned, quiet, shunned, shunner, message },
    apiKey: (await api.ok('POST', '/apikeys', { body: { name: 'Spare' } })).data.apiKey,
    authToken: (await api.ok('POST', `/users/${ann}/auth_tokens`)).data.authToken,
    reply: await send(toUser(bob, 'x', { parentMessageId: message })),
    action: (await api.ok('PUT', `/messages/${message}`, { body: { tags: ['x'] } })).data.id,
    image: await send({ ...toUser(bob), type: 'image', data: { attachments } }),
    session: sessionIn(await call(api, outsider, callBody(quietOne))),
    custom: await send({ ...toUser(bob), category: 'custom', type: 'x', data: { customData: {} } }),
  }
}

/** Named only where there shall be one. */
const HOOK = 'hook'
const makeHook = async (api: Api): Promise<void> => {
  const { status } = await api.call('GET', `/webhooks/${HOOK}`)
  if (status === 200) return
  await api.ok('POST', '/webhooks', { body: { id: HOOK, name: 'x', webhookURL: 'https://hook.example' } })
}
const REFUSED = 'refuse me'
/** Refuses this one text, of every message that it is asked about. */
const startBlocker = (): Promise<CallbackReceiver> =>
  startCallbackReceiver({
    behave: ({ body }) => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: body.includes(REFUSED) ? '{"action":"do_not_propagate"}' : '{}',
    }),
  })
const blockers = new WeakMap<Api, Promise<CallbackReceiver>>()

const refusedText = async ({ api, ann, bob }: World, { path }: Route): Promise<Fault> => {
  if (!blockers.has(api)) {
    const blocker = startBlocker()
    blockers.set(api, blocker)
    const body = { id: 'blocker', name: 'x', webhookURL: (await blocker).url }
    await api.ok('POST', '/webhooks', { body })
    await api.ok('POST', '/webhooks/blocker/triggers', { body: { triggerIds: ['before_message'] } })
  }
  return { body: toUser(path.startsWith('/bots') ? ann : bob, REFUSED) }
}

const FETCHER = 'fetcher'

/** A bot that fetches its updates. */
const makeFetcher = async (api: Api): Promise<void> => {
  if ((await api.call('GET', `/bots/${FETCHER}`)).status === 200) return
  await api.ok('POST', '/users', { body: { uid: FETCHER, name: FETCHER } })
  await api.ok('POST', '/bots', { body: { uid: FETCHER, receive: 'pull', enabled: true } })
}

/** A bot whose updates somebody fetches; while one does, another cannot begin. */
export const consumedBot = async (api: Api): Promise<string> => {
  await makeFetcher(api)
  await openStream(api.server, FETCHER)
  return FETCHER
}

/** What makes a request, which would be right, fail. */
interface Fault {
  readonly names?: Readonly<Record<string, string>>
  readonly onBehalfOf?: string
  /** Nobody in particular acts. */
  readonly isApp?: true
  readonly body?: object
}

const sends = ({ path, method }: Route): boolean => method === 'POST' && /\/(messages|thread|calls|typing)$/.test(path)
const isEdit = (route: Route): boolean => nameOf(route) === 'PUT /messages/:id'

export const rightBody = (route: Route, { ann, bob, cara, bot, message }: World): unknown => {
  if (route.path.endsWith('/conversation/read')) return { messageId: message }
  if (sends(route)) return toUser(route.path.startsWith('/bots') ? ann : bob)
  if (isEdit(route)) return { data: { text: 'edited' } }
  if (route.path.endsWith('/owner')) return { owner: cara }
  if (route.path.endsWith('/members')) return { participants: [cara] }
  if (route.path.endsWith('/restrictedfeatures')) return { featuresToRestrict: ['listUsers'], allowAll: true }
  if (route.path.endsWith('/permissions')) return { permissions: { sendMessage: 'allow' } }
  if (nameOf(route).endsWith('/webhooks')) return { id: HOOK, name: 'x', webhookURL: 'https://hook.example' }
  if (nameOf(route).endsWith('/triggers')) return { triggerIds: ['message_sent'] }
  if (nameOf(route) === 'POST /bots') return { uid: bot, webhookURL: 'https://bot.example/callback' }
  return route.body && sampleOf(route.body as Parameters<typeof sampleOf>[0])
}

export const rightNames = ({ path }: Route, world: World): Readonly<Record<string, string>> => {
  const { ann, bob, bot, cara, group, message, apiKey, authToken } = world
  const isOfTwo = /^\/users\/:uid\/(conversation|threads)/.test(path)
  const uid = path.startsWith('/bots') ? bot : path.startsWith('/groups') ? cara : isOfTwo ? bob : ann
  const fixed = { role: 'default', scope: 'participant', permission: 'sendMessage', reaction: 'x', webhookId: HOOK }
  const appId = world.api.server.appId
  const { session: sessionId } = world
  return {
    uid,
    guid: group,
    id: message,
    sessionId,
    apiKey,
    authToken,
    conversationId: `${ann}_user_${bob}`,
    appId,
    ...fixed,
  }
}

const said =
  (change: object) =>
  ({ bob }: World): Fault => ({ body: { ...toUser(bob), ...change } })

/** In an edit the category and the type are those of the message. */
const content =
  (change: object, edited: (world: World) => Fault) =>
  (world: World, route: Route): Fault =>
    isEdit(route) ? edited(world) : said(change)(world)

const editing =
  (data: unknown, which: 'message' | 'image' | 'custom' = 'message') =>
  (world: World) => ({
    names: { id: world[which] },
    body: { data },
  })

/** A reply to `parent`: by path, or by its body. */
const replying =
  (parent: (world: World) => string, to: 'ann' | 'bob' | 'cara' = 'bob') =>
  (world: World, { path }: Route): Fault => {
    const isBot = path.startsWith('/bots')
    const body = toUser(isBot ? world.ann : world[to])
    const id = parent(world)
    return path.endsWith('/thread') ? { names: { id }, body } : { body: { ...body, parentMessageId: id } }
  }

const filling = (path: string, make: (api: Api, number: number) => Promise<unknown>) => async (world: World) => {
  const { total } = (await world.api.ok('GET', path)).meta.pagination
  for (let number = total; number < 25; number++) await make(world.api, number)
  return {}
}
const makeBot = async (api: Api, number: number): Promise<void> => {
  const uid = `filler-${number}`
  await api.ok('POST', '/users', { body: { uid, name: uid } })
  await api.ok('POST', '/bots', { body: { uid, webhookURL: 'https://bot.example' } })
}
let away = 0

/** A delivery to a bot that nobody reaches. */
export const deliveryOf = async (
  { api, ann }: Pick<World, 'api' | 'ann'>,
  kind: 'pending' | 'cancelled' | 'ownerless',
): Promise<string> => {
  const uid = `away-${++away}`
  // The quota of bots may be used up.
  const { data: bots } = await api.ok('GET', '/bots')
  const filler = bots.find((bot: Json) => bot.uid.startsWith('filler-'))
  if (filler !== undefined) await api.ok('DELETE', `/bots/${filler.uid}`)
  await api.ok('POST', '/users', { body: { uid, name: uid } })
  await api.ok('POST', '/bots', { body: { uid, webhookURL: 'http://127.0.0.1:1', enabled: true } })
  await api.ok('POST', '/messages', { body: toUser(uid), onBehalfOf: ann })
  const { id } = (await api.ok('GET', '/deliveries', { query: { bot: uid } })).data[0]
  if (kind === 'cancelled') await api.ok('POST', `/deliveries/${id}/cancel`)
  if (kind !== 'pending') await api.ok('DELETE', `/bots/${uid}`)
  return id
}

/** A delivery to a webhook that is gone. */
const hookDelivery = async ({ api, ann, bob }: World): Promise<string> => {
  const id = `away-${++away}`
  const { data: hooks } = await api.ok('GET', '/webhooks')
  const filler = hooks.find((hook: Json) => hook.id.startsWith('filler-'))
  if (filler !== undefined) await api.ok('DELETE', `/webhooks/${filler.id}`)
  await api.ok('POST', '/webhooks', { body: { id, name: 'x', webhookURL: 'http://127.0.0.1:1' } })
  await api.ok('POST', `/webhooks/${id}/triggers`, { body: { triggerIds: ['message_sent'] } })
  await api.ok('POST', '/messages', { body: toUser(bob), onBehalfOf: ann })
  const [delivery] = (await api.ok('GET', '/deliveries', { query: { webhook: id } })).data
  await api.ok('DELETE', `/webhooks/${id}`)
  return delivery.id
}

/** With which the server runs that is asked for every error: else they would not come. */
export const loweredLimits = { groupSize: 30, groupsPerUser: 30, usersPerApp: 200 }
export const loweredEnv = {
  CONFAB_LIMIT_GROUP_SIZE: String(loweredLimits.groupSize),
  CONFAB_LIMIT_GROUPS_PER_USER: String(loweredLimits.groupsPerUser),
  CONFAB_LIMIT_USERS_PER_APP: String(loweredLimits.usersPerApp),
}

const uidsOf = (what: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${what}-${n}`)

/** An import asks for no quota. */
const importUsers = async (api: Api, uids: readonly string[]): Promise<void> => {
  for (let start = 0; start < uids.length; start += defaultLimits.importRows) {
    const users = uids.slice(start, start + defaultLimits.importRows).map((uid) => ({ uid, name: uid }))
    await api.ok('POST', '/data_import/users', { body: { users } })
  }
}

/** What a fault leaves behind that others would stumble over: undone before the next one. */
const undoing = new WeakMap<Api, () => Promise<void>>()

const fullApp = async ({ api }: World): Promise<Fault> => {
  const { total } = (await api.ok('GET', '/users', { query: { withDeactivated: true } })).meta.pagination
  const uids = uidsOf('crowd', loweredLimits.usersPerApp - total)
  await importUsers(api, uids)
  undoing.set(api, async () => {
    for (const uid of uids) await api.ok('DELETE', `/users/${uid}`)
  })
  return { body: { uid: 'one-more', name: 'x' } }
}

/** A group in which nobody has room any more. */
const fullGroup = async ({ api, outsider }: World, { method }: Route): Promise<Fault> => {
  const guid = `full-${++away}`
  const uids = uidsOf('packed', loweredLimits.groupSize)
  await importUsers(api, uids)
  await api.ok('POST', '/groups', { body: { guid, name: guid } })
  for (const some of [uids.slice(0, 20), uids.slice(20)]) {
    await api.ok('POST', `/groups/${guid}/members`, { body: { participants: some } })
  }
  if (method === 'PUT') return { isApp: true, names: { guid }, body: { owner: outsider } }
  return { names: { guid }, onBehalfOf: outsider, body: {} }
}

/** Somebody who is in as many groups as they may be. */
const joiner = async ({ api, quiet }: World, { method, path }: Route): Promise<Fault> => {
  const uid = `joiner-${++away}`
  await api.ok('POST', '/users', { body: { uid, name: uid } })
  for (const guid of uidsOf(`of-${uid}`, loweredLimits.groupsPerUser)) {
    await api.ok('POST', '/groups', { body: { guid, name: guid, owner: uid } })
  }
  if (path === '/groups') return { isApp: true, body: { guid: 'one-more', name: 'x', owner: uid } }
  if (method === 'PUT') return { isApp: true, names: { guid: quiet }, body: { owner: uid } }
  return { names: { guid: quiet }, onBehalfOf: uid, body: {} }
}

const overQuota = async (world: World, route: Route): Promise<Fault> => {
  const { path } = route
  if (path === '/users') return fullApp(world)
  if (path.startsWith('/groups')) return joiner(world, route)
  if (path === '/roles') {
    const make = (api: Api, number: number) => api.ok('POST', path, { body: { role: `filler-${number}`, name: 'x' } })
    return { ...(await filling(path, make)(world)), body: { role: 'one-more', name: 'x' } }
  }
  if (path.endsWith('/webhooks')) {
    await filling('/webhooks', (api, number) =>
      api.ok('POST', '/webhooks', { body: { id: `filler-${number}`, name: 'x', webhookURL: 'https://hook.example' } }),
    )(world)
    return { body: { id: 'one-more', name: 'x', webhookURL: 'https://hook.example' } }
  }
  if (path === '/apikeys') return filling(path, (api) => api.ok('POST', path, { body: { name: 'x' } }))(world)
  await filling(path, makeBot)(world)
  return { body: { uid: world.outsider, webhookURL: 'https://bot.example' } }
}

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
  const guid = `pinned-${++away}`
  await makeTalking(world.api, guid, world.ann)
  await world.api.ok('POST', `/groups/${guid}/conversation/pin`)
  return guid
}

/** As many groups as may be are pinned for everybody; answers one that is not. */
export const pinnedGroups = async (world: Pick<World, 'api' | 'ann'>): Promise<string> => {
  const { api, ann } = world
  await unpinAll(world)
  for (let n = 0; n <= defaultLimits.pinnedConversations; n++) {
    await makeTalking(api, `pinned-${++away}`, ann)
    if (n < defaultLimits.pinnedConversations) await api.ok('POST', `/groups/pinned-${away}/conversation/pin`)
  }
  return `pinned-${away}`
}

/** Somebody who has pinned as many conversations as they may, and has one more, with bob. */
export const pinner = async ({ api, bob, group }: Pick<World, 'api' | 'bob' | 'group'>): Promise<string> => {
  const onBehalfOf = `pinner-${++away}`
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
  const uids = Array.from({ length: defaultLimits.pinnedConversations }, () => `pal-${++away}`)
  for (const uid of uids) {
    await api.ok('POST', '/users', { body: { uid, name: uid } })
    await api.ok('POST', '/messages', { onBehalfOf, body: toUser(uid) })
  }
  return uids
}

/** One message more than may be pinned, or saved. */
export const keeping = async ({ api, bob }: Pick<World, 'api' | 'bob'>, what: 'pin' | 'save'): Promise<Fault> => {
  const onBehalfOf = `keeper-${++away}`
  await api.ok('POST', '/users', { body: { uid: onBehalfOf, name: 'x' } })
  const send = async () => (await api.ok('POST', '/messages', { onBehalfOf, body: toUser(bob) })).data.id as string
  const max = what === 'pin' ? defaultLimits.pinnedPerConversation : defaultLimits.savedPerUser
  for (let n = 0; n < max; n++) await api.ok('POST', `/messages/${await send()}/${what}`, { onBehalfOf })
  return { onBehalfOf, names: { id: await send() } }
}

/** A group that nobody of the scene is in. */
const closedGroup = async (api: Api, type: 'password' | 'private'): Promise<string> => {
  const guid = `closed-${++away}`
  await api.ok('POST', '/groups', {
    body: { guid, name: guid, type, ...(type === 'password' && { password: 'open' }) },
  })
  return guid
}

const faults: Readonly<Record<string, (world: World, route: Route) => Fault | Promise<Fault>>> = {
  ERR_APIKEY_NOT_FOUND: () => ({ names: { apiKey: 'unknown' } }),
  ERR_APIKEY_NO_SELF_ACTION: ({ api }) => ({ names: { apiKey: api.server.restApiKey } }),
  ERR_AUTH_TOKEN_NOT_FOUND: () => ({ names: { authToken: 'unknown' } }),
  ERR_AUTHTOKEN_NOT_ACCESSIBLE: async ({ api, bob }) => ({
    names: { authToken: (await api.ok('POST', `/users/${bob}/auth_tokens`)).data.authToken },
  }),
  ERR_PLAN_QUOTA_RESTRICTION: overQuota,
  ERR_ROLE_NOT_FOUND: (_, { path }) =>
    path.startsWith('/users') ? { body: { uid: 'fresh', name: 'x', role: 'none' } } : { names: { role: 'none' } },
  ERR_ROLE_ALREADY_EXISTS: () => ({ body: { role: 'default', name: 'x' } }),
  ERR_ROLE_DELETE_DENIED: () => ({}),
  ERR_NO_VACANCY: fullGroup,
  ERR_NOT_A_FRIEND: ({ bob }) => ({ body: { friends: [bob] } }),
  ERR_CANNOT_FORM_SELF_RELATION: ({ ann }) => ({ body: { accepted: [ann], friends: [ann] } }),
  ERR_CANNOT_BLOCK_SELF: ({ ann }) => ({ onBehalfOf: ann, body: { blockedUids: [ann] } }),
  ERR_BLOCKED_RECEIVER: (world, { method }) =>
    method === 'PUT' ? blockedSince(world, 'bob') : { body: toUser(world.shunned) },
  ERR_BLOCKED_SENDER: (world, { method }) =>
    method === 'PUT' ? blockedSince(world, 'ann') : { body: toUser(world.shunner) },
  ERR_UID_ALREADY_EXISTS: ({ ann }) => ({ body: { uid: ann, name: 'x' } }),
  ERR_UID_NOT_FOUND: (_, route) => {
    if (route.onBehalfOf !== 'none') return { onBehalfOf: 'nobody' }
    if (route.path.startsWith('/users/')) return { names: { uid: 'nobody' } }
    return { body: sends(route) ? toUser('nobody') : { uid: 'nobody', webhookURL: 'https://bot.example' } }
  },
  ERR_BOT_NOT_FOUND: async (world, { path }) =>
    path.startsWith('/deliveries')
      ? { names: { id: await deliveryOf(world, 'ownerless') } }
      : { names: { uid: world.ann } },
  ERR_WEBHOOK_NOT_FOUND: async (world, { path }) =>
    path.startsWith('/deliveries') ? { names: { id: await hookDelivery(world) } } : { names: { webhookId: 'unknown' } },
  ERR_WEBHOOK_ALREADY_EXISTS: async ({ api }) => {
    await makeHook(api)
    return {}
  },
  ERR_TRIGGER_NOT_FOUND: async ({ api }) => {
    await makeHook(api)
    return {}
  },
  ERR_BLOCKED_BY_WEBHOOK: refusedText,
  ERR_BOT_NOT_PULLING: () => ({ body: { offset: 0 } }),
  ERR_BOT_ALREADY_CONSUMED: async ({ api }) => ({ names: { uid: await consumedBot(api) } }),
  ERR_DELIVERY_NOT_FOUND: () => ({ names: { id: 'dlv_unknown' } }),
  ERR_DELIVERY_NOT_PENDING: async (world) => ({ names: { id: await deliveryOf(world, 'cancelled') } }),
  ERR_DELIVERY_PENDING: async (world) => ({ names: { id: await deliveryOf(world, 'pending') } }),
  ERR_BOT_ALREADY_EXISTS: () => ({}),
  ERR_GUID_NOT_FOUND: (_, route) => (sends(route) ? { body: toGroup('nowhere') } : { names: { guid: 'nowhere' } }),
  ERR_GUID_ALREADY_EXISTS: ({ group }) => ({ body: { guid: group, name: 'x' } }),
  ERR_EMPTY_GROUP_PASS: async ({ api, outsider }, { path }) =>
    !path.endsWith('/members')
      ? { body: { guid: 'x', name: 'x', type: 'password' } }
      : { onBehalfOf: outsider, names: { guid: await closedGroup(api, 'password') }, body: {} },
  ERR_WRONG_GROUP_PASS: async ({ api, outsider }) => ({
    onBehalfOf: outsider,
    names: { guid: await closedGroup(api, 'password') },
    body: { password: 'wrong' },
  }),
  ERR_GROUP_JOIN_NOT_ALLOWED: async ({ api, outsider }) => ({
    onBehalfOf: outsider,
    names: { guid: await closedGroup(api, 'private') },
    body: {},
  }),
  ERR_ALREADY_JOINED: ({ cara }) => ({ onBehalfOf: cara, body: {} }),
  ERR_BANNED_GROUPMEMBER: ({ banned }) => ({ onBehalfOf: banned, body: {} }),
  ERR_GROUP_NO_CLEARANCE: ({ bob, cara }) => ({ onBehalfOf: bob, body: { owner: cara } }),
  ERR_GROUP_NOT_JOINED: async ({ api, outsider, quiet }, route) => {
    if (sends(route)) return { body: toGroup(quiet) }
    const isLookedAt = route.method === 'GET' && /:guid(\/members|\/bannedusers)?$/.test(route.path)
    return { onBehalfOf: outsider, ...(isLookedAt && { names: { guid: await closedGroup(api, 'private') } }) }
  },
  ERR_GROUP_NO_ADMIN_SCOPE: ({ bob }) => ({ onBehalfOf: bob }),
  ERR_GROUP_NO_MODERATOR_SCOPE: ({ bob, cara }) => ({ onBehalfOf: cara, names: { uid: bob } }),
  ERR_GROUP_NO_SCOPE_CLEARANCE: ({ ann, bob }) => ({ onBehalfOf: bob, names: { uid: ann } }),
  ERR_GROUP_NO_SELF_ACTION: ({ ann }) => ({ onBehalfOf: ann, names: { uid: ann } }),
  ERR_NOT_A_MEMBER: ({ outsider }, { path }) =>
    path.endsWith('/owner') ? { body: { owner: outsider } } : { names: { uid: outsider } },
  ERR_SAME_SCOPE: () => ({ body: { scope: 'participant' } }),
  ERR_ALREADY_BANNED: ({ banned }) => ({ names: { uid: banned } }),
  ERR_NOT_A_BANNED_USER: () => ({}),
  ERR_EMPTY_RECEIVER: said({ receiver: '' }),
  ERR_INVALID_RECEIVER_TYPE: said({ receiverType: 'room' }),
  ERR_EMPTY_MESSAGE_CATEGORY: said({ category: '' }),
  ERR_INVALID_MESSAGE_CATEGORY: said({ category: 'other' }),
  ERR_EMPTY_MESSAGE_TYPE: said({ type: '' }),
  ERR_INVALID_MESSAGE_TYPE: said({ type: 'x' }),
  ERR_INVALID_MESSAGE_DATA: content({ data: 'x' }, editing('x')),
  ERR_EMPTY_MESSAGE_TEXT: content({ data: {} }, editing({ text: '' })),
  ERR_INVALID_MESSAGE_TEXT: content({ data: { text: 1 } }, editing({ text: 1 })),
  ERR_EMPTY_MESSAGE_FILE: content({ type: 'file', data: {} }, editing({ attachments: [] }, 'image')),
  ERR_INVALID_MEDIA_MESSAGE: content(
    { type: 'file', data: { attachments: [1] } },
    editing({ attachments: [1] }, 'image'),
  ),
  ERR_EMPTY_CUSTOM_DATA: content({ category: 'custom', type: 'x', data: {} }, editing({ customData: null }, 'custom')),
  ERR_INVALID_CUSTOM_DATA: content(
    { category: 'custom', type: 'x', data: { customData: 1 } },
    editing({ customData: 1 }, 'custom'),
  ),
  ERR_INVALID_METADATA: content({ data: { text: 'x', metadata: 1 } }, editing({ metadata: 1 })),
  ERR_MESSAGE_ID_NOT_FOUND: (world, route) =>
    sends(route) ? replying(() => '999999')(world, route) : { names: { id: '999999' } },
  ERR_CONVERSATION_NOT_FOUND: ({ ann }) => ({ onBehalfOf: ann, names: { conversationId: 'group_nowhere' } }),
  ERR_CONVERSATION_NOT_ACCESSIBLE: async ({ api, ann, outsider }, { path }) => {
    const guid = `silent-${++away}`
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
  ERR_PINNED_MESSAGES_LIMIT_EXCEEDED: (world) => keeping(world, 'pin'),
  ERR_SAVED_MESSAGES_LIMIT_EXCEEDED: (world) => keeping(world, 'save'),
  ERR_MESSAGE_NO_ACCESS: ({ cara }) => ({ onBehalfOf: cara }),
  ERR_MESSAGE_NOT_A_SENDER: ({ bob }) => ({ onBehalfOf: bob }),
  ERR_MESSAGE_ACTION_NOT_ALLOWED: ({ action }) => ({ names: { id: action } }),
  ERR_WRONG_MESSAGE_THREAD: replying(({ message }) => message, 'cara'),
  ERR_MESSAGE_THREAD_NESTING: replying(({ reply }) => reply),
  ERR_WRONG_MESSAGE_THREAD_CATEGORY: replying(({ action }) => action),
}

/** A call between two, or in a group, as it is after these steps; then somebody wants something of it. */
const calling =
  (
    to: 'user' | 'group',
    steps: readonly (readonly ['ann' | 'bob' | 'cara', Status])[],
    [who, status]: readonly ['ann' | 'bob' | 'cara', Status],
  ) =>
  async ({ api }: CallWorld): Promise<Fault> => {
    const caller = await makeCaller(api)
    const receiver = to === 'group' ? caller.group : caller.bob
    const sessionId = sessionIn(await call(api, caller.ann, callBody(receiver, to)))
    for (const [name, step] of steps) await change(api, sessionId, caller[name], step)
    return { onBehalfOf: caller[who], names: { sessionId }, body: { status } }
  }

/** Whoever is called has blocked who calls, or is blocked by them, since it rings. */
const blockedSince = async (world: World, by: 'ann' | 'bob'): Promise<Fault> => {
  const { api } = world
  const caller = await makeCaller(api)
  const sessionId = sessionIn(await call(api, caller.ann, callBody(caller.bob)))
  const blockedUids = [by === 'ann' ? caller.bob : caller.ann]
  await api.ok('POST', `/users/${caller[by]}/blockedusers`, { body: { blockedUids } })
  return { onBehalfOf: caller.bob, names: { sessionId }, body: { status: 'ongoing' } }
}

/** In a call, and wants to come into another. */
const busyWith = async ({ api }: CallWorld, { method }: Pick<Route, 'method'>): Promise<Fault> => {
  const { ann, bob, cara } = await makeCaller(api)
  const first = sessionIn(await call(api, ann, callBody(bob)))
  await change(api, first, bob, 'ongoing')
  if (method === 'POST') return { onBehalfOf: ann, body: callBody(cara) }
  // Bob is in a call by now, and was called by cara before that.
  await change(api, first, bob, 'ended')
  const other = sessionIn(await call(api, cara, callBody(bob)))
  const mine = sessionIn(await call(api, ann, callBody(bob)))
  await change(api, mine, bob, 'ongoing')
  return { onBehalfOf: bob, names: { sessionId: other }, body: { status: 'ongoing' } }
}

type CallWorld = Pick<World, 'api' | 'ann' | 'bob'>

const callFaults: Readonly<Record<string, (world: CallWorld, route: Pick<Route, 'method'>) => Fault | Promise<Fault>>> =
  {
    ERR_CALLING_SELF: ({ ann }) => ({ body: callBody(ann) }),
    ERR_CALL_BUSY_SELF: busyWith,
    ERR_CALL_BUSY_USER: async ({ api }) => {
      const { ann, bob, cara } = await makeCaller(api)
      await call(api, ann, callBody(bob))
      return { onBehalfOf: cara, body: callBody(ann) }
    },
    ERR_CALL_BUSY_GROUP: async ({ api }) => {
      const { ann, bob, group } = await makeCaller(api)
      await call(api, ann, callBody(group, 'group'))
      return { onBehalfOf: bob, body: callBody(group, 'group') }
    },
    ERR_EMPTY_CALL_SESSION_ID: () => ({ names: { sessionId: '%20' } }),
    ERR_CALL_SESSION_NOT_FOUND: () => ({ names: { sessionId: 'unknown' } }),
    ERR_CALL_NOT_A_PART: ({ ann }) => ({ onBehalfOf: ann }),
    ERR_CALL_TERMINATED: calling('user', [['bob', 'rejected']], ['bob', 'ongoing']),
    ERR_CALL_NOT_STARTED: calling('user', [], ['ann', 'ended']),
    ERR_CALL_INVALID_INIT: async (world, route) =>
      route.method === 'POST'
        ? { body: callBody(world.bob, 'user', { status: 'ongoing' }) }
        : calling('user', [], ['bob', 'cancelled'])(world),
    ERR_CALL_ONGOING_TO_INVALID: calling('user', [['bob', 'ongoing']], ['ann', 'cancelled']),
    ERR_CALL_USER_ALREADY_JOINED: calling('user', [], ['ann', 'ongoing']),
    ERR_CALL_GROUP_ALREADY_JOINED: calling('group', [['bob', 'ongoing']], ['bob', 'ongoing']),
    ERR_CALL_GROUP_ALREADY_LEFT: calling(
      'group',
      [
        ['bob', 'ongoing'],
        ['bob', 'ended'],
      ],
      ['bob', 'ended'],
    ),
    ERR_CALL_GROUP_INVALID_STATUS: calling('group', [], ['bob', 'cancelled']),
  }

/** A request about a call that is answered with the code. */
export const failingCall = async (world: CallWorld, code: ErrorCode): Promise<[string, string, CallOptions]> => {
  const method = /CALLING_SELF|_BUSY_/.test(code) ? 'POST' : 'PUT'
  const fault = await callFaults[code]?.(world, { method })
  if (fault === undefined) throw new Error(`nothing here produces ${code}`)
  const { onBehalfOf = world.ann, body = { status: 'ended' }, names } = fault
  if (method === 'POST') return [method, '/calls', { onBehalfOf, body }]
  const { ann, bob } = await makeCaller(world.api)
  const sessionId = names?.sessionId ?? sessionIn(await call(world.api, ann, callBody(bob)))
  return [method, `/calls/${sessionId}`, { onBehalfOf, body }]
}

/** Who acts in a request that would be right. */
const rightActor = (route: Route, { ann }: World): string | undefined =>
  route.onBehalfOf === 'required' || (route.onBehalfOf !== 'none' && sends(route)) ? ann : undefined

/** A request of the route that is answered with the code. */
export const requestOf = async (route: Route, code: string, world: World): Promise<[string, CallOptions]> => {
  await undoing.get(world.api)?.()
  undoing.delete(world.api)
  const fault = await (callFaults[code] ?? faults[code])?.(world, route)
  if (fault === undefined) throw new Error(`nothing here produces ${code}`)
  const names: Readonly<Record<string, string>> = { ...rightNames(route, world), ...fault.names }
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => names[name] ?? '')
  const wanted = fault.body ?? rightBody(route, world)
  const body = route.path === '/calls' ? { type: 'audio', ...(wanted as object) } : wanted
  return [
    path,
    {
      onBehalfOf: fault.isApp ? undefined : (fault.onBehalfOf ?? rightActor(route, world)),
      ...(body !== undefined && { body }),
    } as CallOptions,
  ]
}
