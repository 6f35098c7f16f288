/** For every operation of the published description, a request that is right: what is made for it, and what its body says. */
import type { Api, Json } from './api.ts'
import { call, callBody } from './calling.ts'
import type { Operation } from './published.ts'

export interface Given {
  readonly names?: Readonly<Record<string, string>>
  readonly onBehalfOf?: string
  /** With every request. */
  readonly query?: Readonly<Record<string, string>>
  /** In place of what is made up from the schema; undefined leaves a field out. */
  readonly body?: Readonly<Record<string, unknown>>
}

export interface PublishedWorld {
  readonly api: Api
  readonly message: string
  readonly token: string
  readonly apiKey: string
  /** A name that nothing has. */
  fresh(): string
  user(): Promise<string>
  group(): Promise<string>
  role(): Promise<string>
  send(to: string): Promise<string>
  webhook(): Promise<string>
}

const url = 'http://placehold.it/120x120&text=image1'
const metadata = { email: 'user@email.com' }
const profile = { name: 'Barry Allen', avatar: url, link: url, metadata, tags: ['tag1'], role: 'manager' }

let names = 0

export const makePublishedWorld = async (api: Api): Promise<PublishedWorld> => {
  const fresh = (): string => `superhero-${++names}`
  const post = (path: string, body: object, onBehalfOf?: string): Promise<Json> =>
    api.ok('POST', path, { body, onBehalfOf })
  const user = async (uid = fresh()): Promise<string> => {
    await post('/users', { uid, ...profile })
    // What was changed shows when.
    await api.ok('PUT', `/users/${uid}`, { body: { name: profile.name } })
    return uid
  }
  const role = async (name = fresh()): Promise<string> => {
    const settings = { listUsers: 'all', sendMessagesTo: 'all' }
    await post('/roles', { role: name, name, description: 'x', metadata, settings })
    return name
  }
  const group = async (): Promise<string> => {
    const guid = fresh()
    const looks = { name: 'Project Group', description: 'x', icon: url, metadata, tags: ['tag1'], owner: 'ann' }
    await post('/groups', { guid, type: 'public', ...looks, members: { participants: ['bob'] } })
    await api.ok('PUT', `/groups/${guid}`, { body: { name: 'Project Group' } })
    return guid
  }
  const send = async (to: string): Promise<string> => {
    const body = { receiver: to, receiverType: 'user', data: { text: 'hello', metadata }, tags: ['tag1'] }
    return (await post('/messages', body, 'ann')).data.id
  }
  const webhook = async (): Promise<string> => {
    const id = fresh()
    await post('/webhooks', { id, name: id, webhookURL: 'https://hook.example/' })
    await post(`/webhooks/${id}/triggers`, { triggerIds: ['message_read_receipt'] })
    return id
  }
  await role('manager')
  const looks = { description: 'x', metadata, settings: { listUsers: 'all' } }
  await api.ok('PUT', '/roles/default', { body: looks })
  for (const uid of ['ann', 'bob', 'robot']) await user(uid)
  await post('/bots', { uid: 'robot', webhookURL: 'https://bot.example/callback' })
  // So that what is sent to bob may be sent to a group, too.
  await post('/groups', { guid: 'bob', name: 'Bob', owner: 'ann', members: { participants: ['robot'] } })
  const message = await send('bob')
  return {
    ...{ api, message, fresh, group, role, send, webhook },
    user: () => user(),
    token: (await post('/users/ann/auth_tokens', {})).data.authToken,
    apiKey: (await post('/apikeys', { name: 'Spare' })).data.apiKey,
  }
}

/** By name of the field; what is not here is made up from its type. */
const said: Readonly<Record<string, unknown>> = {
  ...profile,
  ...{ icon: url, description: 'x', password: 'secret', scope: 'participant', force: true, permanent: false },
  ...{ receiver: 'bob', receiverType: 'user', category: 'message', type: 'text', owner: 'ann' },
  ...{ data: { text: 'hello', metadata }, settings: { listUsers: 'all', sendMessagesTo: 'friendsOnly' } },
  ...{ platform: 'web', userAgent: 'x', appInfo: { version: '1' } },
  ...{ username: 'me', webhookURL: 'https://hook.example/' },
}
/** Left out where the answer is compared, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  unset: 'takes away what the answer shows',
  multipleReceivers: 'is said in place of one receiver, and answered by receiver',
}

/** All that the schema names. */
export const bodyOf = ({ bodySchema, path }: Operation, given: Given): object | undefined => {
  if (bodySchema === undefined) return undefined
  const body: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries<Json>(bodySchema.properties)) {
    if (LEFT_OUT[name] !== undefined) continue
    if (path.startsWith('/groups') && name === 'type') body[name] = 'public'
    else if (path.startsWith('/apikeys') && name === 'scope') body[name] = 'authOnly'
    else if (Object.hasOwn(said, name)) body[name] = said[name]
    else body[name] = schema.type === 'array' ? [] : schema.type === 'object' ? {} : schema.type === 'boolean'
  }
  return Object.fromEntries(Object.entries({ ...body, ...given.body }).filter(([, value]) => value !== undefined))
}

/** Data that is right for a message of any category and type. */
const data = {
  ...{ text: 'hello', metadata, customData: { key: 'value' } },
  attachments: [{ url, name: 'image1.png', mimeType: 'image/png', extension: 'png', size: '350.2' }],
}

/** What else the schema of the body says may be said: each value of each field that names its values, and what was left out. */
export const variantsOf = ({ bodySchema, path }: Operation): readonly Readonly<Record<string, unknown>>[] => {
  const fields = Object.entries<Json>(bodySchema?.properties ?? {})
  const values = fields.flatMap(([name, { enum: values = [], items = {} }]) => [
    ...values.map((value: unknown) => ({ [name]: value })),
    ...(items.enum ?? []).map((value: unknown) => ({ [name]: [value] })),
  ])
  const some: Record<string, unknown>[] = fields.some(([name]) => name === 'multipleReceivers')
    ? [...values, { receiver: undefined, multipleReceivers: { uids: ['bob', 'robot'], guids: [] } }]
    : values
  // The thread of the case is one of two people.
  const right = path.endsWith('/thread') ? some.filter(({ receiverType }) => receiverType !== 'group') : some
  if (path.endsWith('/messages') || path.endsWith('/thread')) return right.map((variant) => ({ data, ...variant }))
  return some.map((variant) => (variant.type === 'password' ? { password: 'secret', ...variant } : variant))
}

type Case = (w: PublishedWorld) => Given | Promise<Given>

const people = async (w: PublishedWorld, field: string, prepare?: [string, string]): Promise<Given> => {
  const [uid, other] = [await w.user(), await w.user()]
  if (prepare) await w.api.ok('POST', `/users/${uid}/${prepare[0]}`, { body: { [prepare[1]]: [other] } })
  return { names: { uid }, body: { [field]: [other] } }
}

const nothing: Case = () => ({})
const ofAnn: Case = () => ({ names: { uid: 'ann' } })
const ofRole: Case = async (w) => ({ names: { role: await w.role() } })
const restricted: Case = async (w) => {
  const role = await w.role()
  await w.api.ok('POST', `/roles/${role}/restrictedfeatures`, { body: { featuresToRestrict: ['u.listUsers'] } })
  return { names: { role }, body: { featuresToRestrict: ['u.deleteGroup'], featuresToAllow: ['u.listUsers'] } }
}
const ofToken: Case = ({ token }) => ({ names: { uid: 'ann', authToken: token } })
const ofGroup: Case = async (w) => ({ names: { guid: await w.group(), uid: 'bob' }, onBehalfOf: 'ann' })
const banned: Case = async (w) => {
  const given = { names: { guid: await w.group(), uid: 'bob' } }
  await w.api.ok('POST', `/groups/${given.names.guid}/bannedusers/bob`)
  return given
}
const ofMessage: Case = ({ message }) => ({ names: { id: message } })
const talking: Case = async (w) => {
  const uid = await w.user()
  await w.send(uid)
  return {
    names: { uid, conversationId: `ann_user_${uid}` },
    onBehalfOf: 'ann',
    body: { tags: ['tag1'], conversationWith: 'ann' },
  }
}
const talkingInGroup = async (w: PublishedWorld): Promise<Given> => {
  const guid = await w.group()
  const body = { receiver: guid, receiverType: 'group', data: { text: 'hello', metadata } }
  await w.api.ok('POST', '/messages', { body, onBehalfOf: 'bob' })
  return { names: { guid }, onBehalfOf: 'ann', body: { tags: ['tag1'] } }
}
/** All that was said is a call. */
const calledTo: Case = async (w) => {
  const uid = await w.user()
  await call(w.api, 'ann', callBody(uid, 'user', { metadata }))
  return { names: { uid }, onBehalfOf: 'ann' }
}
/** The last thing that happened in the group is that somebody was added. */
const addedToGroup: Case = async (w) => {
  const { names } = await talkingInGroup(w)
  const onBehalfOf = await w.user()
  await w.api.ok('POST', `/groups/${names?.guid}/members`, { body: { participants: [onBehalfOf] }, onBehalfOf: 'ann' })
  return { ...(names && { names }), onBehalfOf, body: { tags: ['tag1'] } }
}
const ofWebhook: Case = async (w) => ({
  names: { appId: w.api.server.appId, webhookId: await w.webhook() },
  body: { triggerIds: ['message_read_receipt'] },
})
const ofApp: Case = (w) => ({ names: { appId: w.api.server.appId }, body: { id: w.fresh() } })
const thread: Case = async (w) => {
  const id = await w.send('bob')
  const body = { receiver: 'bob', receiverType: 'user', data: { text: 'hello', metadata } }
  await w.api.ok('POST', `/messages/${id}/thread`, { body, onBehalfOf: 'ann' })
  return { names: { id }, onBehalfOf: 'ann' }
}

export const cases: Readonly<Record<string, Case>> = {
  'POST /apikeys': nothing,
  'GET /apikeys': nothing,
  'GET /apikeys/{apiKey}': ({ apiKey }) => ({ names: { apiKey } }),
  'PUT /apikeys/{apiKey}': ({ apiKey }) => ({ names: { apiKey } }),
  'DELETE /apikeys/{apiKey}': async ({ api }) => ({
    names: { apiKey: (await api.ok('POST', '/apikeys', { body: { name: 'x' } })).data.apiKey },
  }),
  'POST /users': ({ fresh }) => ({ body: { uid: fresh() } }),
  'GET /users': nothing,
  'PUT /users': async (w) => ({ body: { uidsToActivate: [await w.user()] } }),
  'DELETE /users': async (w) => ({ body: { uidsToDeactivate: [await w.user()] } }),
  'GET /users/{uid}': ofAnn,
  'PUT /users/{uid}': ofAnn,
  'DELETE /users/{uid}': async (w) => ({ names: { uid: await w.user() } }),
  'POST /roles': ({ fresh }) => ({ body: { role: fresh() } }),
  'GET /roles': ofRole,
  'GET /roles/{role}': ofRole,
  'PUT /roles/{role}': ofRole,
  'DELETE /roles/{role}': ofRole,
  'POST /roles/{role}/restrictedfeatures': restricted,
  'GET /roles/{role}/restrictedfeatures': restricted,
  'DELETE /roles/{role}/restrictedfeatures': restricted,
  'POST /users/{uid}/auth_tokens': ofAnn,
  'GET /users/{uid}/auth_tokens': ofAnn,
  'DELETE /users/{uid}/auth_tokens': async (w) => ({ names: { uid: await w.user() } }),
  'GET /users/{uid}/auth_tokens/{authToken}': ofToken,
  'PUT /users/{uid}/auth_tokens/{authToken}': ofToken,
  'DELETE /users/{uid}/auth_tokens/{authToken}': async ({ api }) => ({
    names: {
      uid: 'bob',
      authToken: (await api.ok('POST', '/users/bob/auth_tokens', { body: { force: true } })).data.authToken,
    },
  }),
  'POST /groups': ({ fresh }) => ({ onBehalfOf: 'ann', body: { guid: fresh(), members: undefined } }),
  'GET /groups': async (w) => ({ onBehalfOf: 'ann', query: { withTags: 'true', searchKey: await w.group() } }),
  'GET /groups/{guid}': ofGroup,
  'PUT /groups/{guid}': ofGroup,
  'DELETE /groups/{guid}': ofGroup,
  'POST /groups/{guid}/bannedusers/{uid}': ofGroup,
  'DELETE /groups/{guid}/bannedusers/{uid}': banned,
  'GET /groups/{guid}/bannedusers': banned,
  'POST /groups/{guid}/members': async (w) => ({
    names: { guid: await w.group() },
    body: {
      admins: [await w.user()],
      moderators: [await w.user()],
      participants: [await w.user()],
      usersToBan: [await w.user()],
    },
  }),
  'GET /groups/{guid}/members': ofGroup,
  'PUT /groups/{guid}/members/{uid}': async (w) => ({ ...(await ofGroup(w)), body: { scope: 'moderator' } }),
  'DELETE /groups/{guid}/members/{uid}': ofGroup,
  'POST /users/{uid}/friends': (w) => people(w, 'accepted'),
  'GET /users/{uid}/friends': (w) => people(w, 'accepted', ['friends', 'accepted']),
  'DELETE /users/{uid}/friends': (w) => people(w, 'friends', ['friends', 'accepted']),
  'POST /users/{uid}/blockedusers': (w) => people(w, 'blockedUids'),
  'GET /users/{uid}/blockedusers': (w) => people(w, 'blockedUids', ['blockedusers', 'blockedUids']),
  'DELETE /users/{uid}/blockedusers': (w) => people(w, 'blockedUids', ['blockedusers', 'blockedUids']),
  'POST /messages': () => ({ onBehalfOf: 'ann' }),
  'GET /messages': () => ({ onBehalfOf: 'ann' }),
  'GET /messages/{id}': ofMessage,
  'PUT /messages/{id}': ({ message }) => ({ names: { id: message }, onBehalfOf: 'ann' }),
  'DELETE /messages/{id}': async (w) => ({ names: { id: await w.send('bob') } }),
  'POST /messages/{id}/thread': thread,
  'GET /messages/{id}/thread': thread,
  'GET /users/{uid}/messages': calledTo,
  'GET /groups/{guid}/messages': talkingInGroup,
  'POST /bots/{uid}/messages': () => ({ names: { uid: 'robot' }, body: { tags: ['tag1'] } }),
  'GET /conversations': addedToGroup,
  'GET /conversations/{conversationId}': async (w) => {
    const { names, ...given } = await addedToGroup(w)
    return { ...given, names: { conversationId: `group_${names?.guid}` } }
  },
  'DELETE /conversations/{conversationId}': talking,
  'GET /users/{uid}/conversation': talking,
  'PUT /users/{uid}/conversation': talking,
  'DELETE /users/{uid}/conversation': talking,
  'POST /users/{uid}/conversation/delivered': talking,
  'POST /users/{uid}/conversation/read': talking,
  'GET /groups/{guid}/conversation': addedToGroup,
  'PUT /groups/{guid}/conversation': addedToGroup,
  'DELETE /groups/{guid}/conversation': talkingInGroup,
  'POST /groups/{guid}/conversation/delivered': talkingInGroup,
  'POST /groups/{guid}/conversation/read': talkingInGroup,
  'POST /apps/{appId}/webhooks': ofApp,
  'GET /apps/{appId}/webhooks': async (w) => ({ ...(await ofWebhook(w)), body: {} }),
  'GET /apps/{appId}/webhooks/{webhookId}': ofWebhook,
  'PUT /apps/{appId}/webhooks/{webhookId}': async (w) => ({ ...(await ofWebhook(w)), body: {} }),
  'DELETE /apps/{appId}/webhooks/{webhookId}': ofWebhook,
  'POST /apps/{appId}/webhooks/{webhookId}/triggers': ofWebhook,
  'GET /apps/{appId}/webhooks/{webhookId}/triggers': ofWebhook,
  'DELETE /apps/{appId}/webhooks/{webhookId}/triggers': ofWebhook,
  'GET /stats': nothing,
  'GET /stats/messages': nothing,
}
