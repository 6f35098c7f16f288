/** Every error of every route, produced: a request that would be right, and what makes it fail. */
import { limits } from '@confab/protocol'
import type { Route } from '../../src/http/route.ts'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import type { Api, CallOptions, Json } from './api.ts'
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
}

const attachments = [{ url: 'https://x.example/a' }]

export const makeWorld = async (api: Api): Promise<World> => {
  const scene = await makeScene(api)
  // Before the app has all the bots that it may have.
  await makeFetcher(api)
  const { ann, bob, group } = scene
  const [outsider, banned, quiet, shunned, shunner] = ['outsider', 'banned', 'quiet', 'shunned', 'shunner']
  for (const uid of [outsider, banned, shunned, shunner]) await api.ok('POST', '/users', { body: { uid, name: uid } })
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

const sends = ({ path, method }: Route): boolean => method === 'POST' && /\/(messages|thread|typing)$/.test(path)
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
  return { uid, guid: group, id: message, apiKey, authToken, conversationId: `${ann}_user_${bob}`, appId, ...fixed }
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

const overQuota = async (world: World, { path }: Route): Promise<Fault> => {
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
  for (let n = 0; n <= limits.pinnedConversations; n++) {
    await makeTalking(api, `pinned-${++away}`, ann)
    if (n < limits.pinnedConversations) await api.ok('POST', `/groups/pinned-${away}/conversation/pin`)
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
  const uids = Array.from({ length: limits.pinnedConversations }, () => `pal-${++away}`)
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
  const max = what === 'pin' ? limits.pinnedPerConversation : limits.savedPerUser
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
  ERR_PLAN_QUOTA_RESTRICTION: overQuota,
  ERR_ROLE_NOT_FOUND: (_, { path }) =>
    path.startsWith('/users') ? { body: { uid: 'fresh', name: 'x', role: 'none' } } : { names: { role: 'none' } },
  ERR_ROLE_ALREADY_EXISTS: () => ({ body: { role: 'default', name: 'x' } }),
  ERR_ROLE_DELETE_DENIED: () => ({}),
  ERR_NOT_A_FRIEND: ({ bob }) => ({ body: { friends: [bob] } }),
  ERR_CANNOT_FORM_SELF_RELATION: ({ ann }) => ({ body: { accepted: [ann], friends: [ann] } }),
  ERR_CANNOT_BLOCK_SELF: ({ ann }) => ({ onBehalfOf: ann, body: { blockedUids: [ann] } }),
  ERR_BLOCKED_RECEIVER: ({ shunned }) => ({ body: toUser(shunned) }),
  ERR_BLOCKED_SENDER: ({ shunner }) => ({ body: toUser(shunner) }),
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
  ERR_INVALID_MESSAGE_CATEGORY: said({ category: 'call' }),
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

/** Who acts in a request that would be right. */
const rightActor = (route: Route, { ann }: World): string | undefined =>
  route.onBehalfOf === 'required' || (route.onBehalfOf !== 'none' && sends(route)) ? ann : undefined

/** A request of the route that is answered with the code. */
export const requestOf = async (route: Route, code: string, world: World): Promise<[string, CallOptions]> => {
  const fault = await faults[code]?.(world, route)
  if (fault === undefined) throw new Error(`nothing here produces ${code}`)
  const names: Readonly<Record<string, string>> = { ...rightNames(route, world), ...fault.names }
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => names[name] ?? '')
  const body = fault.body ?? rightBody(route, world)
  return [
    path,
    {
      onBehalfOf: fault.isApp ? undefined : (fault.onBehalfOf ?? rightActor(route, world)),
      ...(body !== undefined && { body }),
    } as CallOptions,
  ]
}
