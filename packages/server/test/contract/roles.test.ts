/** What roles and scopes keep users from, whoever asks for them: by their token, or on behalf of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Route } from '../../src/http/route.ts'
import { featuresByRoute, shownKey } from '../../src/roles/features.ts'
import { Api, type CallOptions, type Json } from '../support/api.ts'
import { sampleOf } from '../support/cases.ts'
import { nameOf, routes } from '../support/routes.ts'
import { idsOf, makeScene, type Scene, toGroup, toUser } from '../support/scene.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'

const closable = routes.filter((route) => featuresByRoute.has(nameOf(route)))

test('features close routes for users, and no others', () => {
  expect(closable.filter(({ forUsers }) => !forUsers).map(nameOf)).toEqual([])
  expect(closable.length).toBeGreaterThan(20)
})

describeEngines('roles', (engine) => {
  let server: TestServer
  let api: Api
  let scene: Scene
  beforeAll(async () => {
    server = await startServer({ engine })
    api = new Api(server)
    scene = await makeScene(api)
  })
  afterAll(() => server?.dispose())

  let made = 0
  /** A user with a role of their own. */
  const withRole = async (more: object = {}): Promise<{ uid: string; role: string; token: string }> => {
    const role = `role-${++made}`
    await api.ok('POST', '/roles', { body: { role, name: role, ...more } })
    const uid = `user-${made}`
    const { data } = await api.ok('POST', '/users', { body: { uid, name: uid, role, withAuthToken: true } })
    return { uid, role, token: data.authToken }
  }
  const permit = (role: string, permissions: object) =>
    api.ok('PUT', `/roles/${role}/permissions`, { body: { permissions } })
  const denied = async (permission: string, method: string, path: string, options: CallOptions) => {
    const { details } = await api.fails('ERR_PERMISSION_DENIED', method, path, options)
    expect(details).toEqual({ permission })
  }
  const goneAfter = async (role: string) => api.ok('DELETE', `/roles/${role}`)

  test('names are folded, and what is wrong with a role is said', async () => {
    const body = { role: 'VIP', name: 'x', settings: { listUsers: 'friendsOnly' } }
    expect((await api.ok('POST', '/roles', { body })).data).toMatchObject({ role: 'vip', settings: body.settings })
    await api.fails('ERR_ROLE_ALREADY_EXISTS', 'POST', '/roles', { body: { ...body, role: 'vip' } })
    for (const wrong of [
      { role: 'a b' },
      { name: ' ' },
      { description: 'd'.repeat(256) },
      { settings: { listUsers: 'some' } },
    ]) {
      const { details } = await api.fails('ERR_BAD_REQUEST', 'POST', '/roles', { body: { ...body, ...wrong } })
      expect(Object.keys(details)[0]).toMatch(new RegExp(`^${Object.keys(wrong)[0]}`))
    }
    const { uid } = (await api.ok('POST', '/users', { body: { uid: 'vip-user', name: 'x', role: 'Vip' } })).data
    await api.fails('ERR_ROLE_NOT_FOUND', 'PUT', `/users/${uid}`, { body: { role: 'none' } })
    await api.fails('ERR_ROLE_NOT_FOUND', 'POST', '/users', { body: { uid: 'x', name: 'x', role: 'none' } })
    await goneAfter('VIP')
    expect((await api.ok('GET', `/users/${uid}`)).data.role).toBe('default')
  })

  test('an app has 25 roles', async () => {
    const { total } = (await api.ok('GET', '/roles')).meta.pagination
    const names = Array.from({ length: 25 - total }, (_, n) => `many-${n}`)
    for (const role of names) await api.ok('POST', '/roles', { body: { role, name: role } })
    const { details } = await api.fails('ERR_PLAN_QUOTA_RESTRICTION', 'POST', '/roles', {
      body: { role: 'x', name: 'x' },
    })
    expect(details).toEqual({ roles: 'at most 25 per app' })
    for (const role of names) await goneAfter(role)
  })

  describe('restricted features', () => {
    test('close every route that they name, by token and on behalf of the user, and nothing else', async () => {
      const { uid, role, token } = await withRole()
      const path = `/roles/${role}/restrictedfeatures`
      const keys = [...new Set(closable.flatMap((route) => featuresByRoute.get(nameOf(route)) ?? []))]
      await api.ok('POST', path, { body: { featuresToRestrict: keys } })
      const names: Json = { uid: scene.ann, guid: scene.group, id: '1' }
      for (const route of closable) {
        const url = route.path.replace(/:(\w+)/g, (_, name: string) => names[name] ?? '1')
        const body = route.method === 'GET' ? {} : { body: bodyOf(route, scene) }
        for (const who of route.onBehalfOf === 'none' ? [{ token }] : [{ token }, { onBehalfOf: uid }]) {
          const { details } = await api.fails('ERR_PERMISSION_DENIED', route.method, url, { ...body, ...who })
          const own = featuresByRoute.get(nameOf(route))?.map(shownKey)
          expect(own).toContain(details.feature)
        }
      }
      await api.ok('GET', '/users', { onBehalfOf: scene.bob })
      await api.ok('GET', '/users')
      await api.ok('DELETE', path, { body: { featuresToAllow: ['u.listUsers', 'listGroups'] } })
      await api.ok('GET', '/users', { token })
      await api.ok('GET', '/groups', { onBehalfOf: uid })
      await api.fails('ERR_PERMISSION_DENIED', 'GET', `/users/${scene.ann}`, { token })
      await api.ok('DELETE', path, { body: { allowAll: true } })
      await api.ok('GET', `/users/${scene.ann}`, { token })
      await goneAfter(role)
    })

    test('that nobody knows are refused, and change nothing', async () => {
      const { role } = await withRole()
      const path = `/roles/${role}/restrictedfeatures`
      const body = { featuresToRestrict: ['listUsers', 'u.nothing'] }
      const { details } = await api.fails('ERR_BAD_REQUEST', 'POST', path, { body })
      expect(details).toEqual({ featuresToRestrict: 'there is no feature u.nothing' })
      await api.fails('ERR_BAD_REQUEST', 'DELETE', path, { body: {} })
      expect((await api.ok('GET', path)).data).toEqual([])
      await goneAfter(role)
    })

    test('count from the next request when the user gets another role', async () => {
      const { uid, role, token } = await withRole()
      await api.ok('POST', `/roles/${role}/restrictedfeatures`, { body: { featuresToRestrict: ['listUsers'] } })
      await api.fails('ERR_PERMISSION_DENIED', 'GET', '/users', { token })
      await api.ok('PUT', `/users/${uid}`, { body: { role: 'default' } })
      await api.ok('GET', '/users', { token })
      await api.ok('PUT', `/users/${uid}`, { body: { role } })
      await api.fails('ERR_PERMISSION_DENIED', 'GET', '/users', { token })
      await goneAfter(role)
      await api.ok('GET', '/users', { token })
    })
  })

  describe('permissions of a role', () => {
    test('to send: to whom, what, and in which form', async () => {
      const { uid, role, token } = await withRole()
      const { ann, group } = scene
      await api.ok('POST', `/groups/${group}/members`, { body: { participants: [uid] } })
      const send = (body: object) => ['POST', '/messages', { token, body }] as const
      await permit(role, { sendMessage: 'deny' })
      await denied('sendMessage', ...send(toUser(ann)))
      await denied('sendMessage', ...send(toGroup(group)))
      await permit(role, { sendMessage: 'allow', 'sendMessage.mode': 'friends' })
      await denied('sendMessage.mode', ...send(toUser(ann)))
      await api.ok(...send(toGroup(group)))
      await api.ok('POST', `/users/${uid}/friends`, { body: { accepted: [ann] } })
      await api.ok(...send(toUser(ann)))
      await permit(role, { 'sendMessage.mode': 'all', 'sendMessage.allowedReceiverRoles': ['STAFF'] })
      await denied('sendMessage.allowedReceiverRoles', ...send(toUser(ann)))
      await permit(role, {
        'sendMessage.allowedReceiverRoles': ['default'],
        'sendMessage.allowedReceiverTypes': ['user'],
      })
      await api.ok(...send(toUser(ann)))
      await denied('sendMessage.allowedReceiverTypes', ...send(toGroup(group)))
      await permit(role, {
        'sendMessage.allowedMessageTypes': ['text', 'image'],
        'sendMessage.allowedMessageCategories': ['message'],
        'sendMessage.allowedMimeTypes': ['image/png'],
      })
      const image = (mimeType?: string) => {
        const attachments = [{ url: 'https://x.example/a', mimeType }]
        return { ...toUser(ann), type: 'image', data: { attachments } }
      }
      await denied(
        'sendMessage.allowedMessageCategories',
        ...send({ ...toUser(ann), category: 'custom', type: 'x', data: { customData: {} } }),
      )
      await denied('sendMessage.allowedMessageTypes', ...send({ ...image(), type: 'file' }))
      await denied('sendMessage.allowedMimeTypes', ...send(image('image/gif')))
      await denied('sendMessage.allowedMimeTypes', ...send(image()))
      await api.ok(...send(image('image/png')))
      // To several, each for itself.
      const { data } = await api.ok(
        ...send({ ...toUser(ann), receiver: undefined, multipleReceivers: { uids: [ann], guids: [group] } }),
      )
      expect([data.uids[ann].success, data.guids[group].error.code]).toEqual([true, 'ERR_PERMISSION_DENIED'])
      await goneAfter(role)
      await api.ok(...send(toGroup(group)))
    })

    test('the setting sendMessagesTo', async () => {
      const { uid, role, token } = await withRole({ settings: { sendMessagesTo: 'friendsOnly' } })
      const { ann } = scene
      await denied('sendMessagesTo', 'POST', '/messages', { token, body: toUser(ann) })
      // The other side has a role of its own.
      await api.ok('POST', '/messages', { onBehalfOf: ann, body: toUser(uid) })
      await api.ok('POST', `/users/${uid}/friends`, { body: { accepted: [ann] } })
      await api.ok('POST', '/messages', { token, body: toUser(ann) })
      await api.ok('DELETE', `/users/${ann}/friends`, { body: { friends: [uid] } })
      await denied('sendMessagesTo', 'POST', '/messages', { token, body: toUser(ann) })
      await goneAfter(role)
    })

    test('a bot is a user like others', async () => {
      const { ann, bot } = scene
      const { role } = await withRole()
      await api.ok('PUT', `/users/${bot}`, { body: { role } })
      await permit(role, { sendMessage: 'deny' })
      await denied('sendMessage', 'POST', `/bots/${bot}/messages`, { body: toUser(ann) })
      await goneAfter(role)
      await api.ok('POST', `/bots/${bot}/messages`, { body: toUser(ann) })
    })

    test('to edit and delete what one has said', async () => {
      const { role, token } = await withRole()
      const { data } = await api.ok('POST', '/messages', { token, body: toUser(scene.ann) })
      const edit = ['PUT', `/messages/${data.id}`, { token, body: { data: { text: 'x' } } }] as const
      const remove = ['DELETE', `/messages/${data.id}`, { token }] as const
      await permit(role, { editMessage: 'deny', deleteMessage: 'deny' })
      await denied('editMessage', ...edit)
      await denied('deleteMessage', ...remove)
      await api.ok('PUT', `/messages/${data.id}`, { body: { tags: ['by-app'] } })
      await api.ok('DELETE', `/roles/${role}/permissions/editMessage`)
      await api.ok(...edit)
      await denied('deleteMessage', ...remove)
      await goneAfter(role)
      await api.ok(...remove)
    })

    test('to list and to get users', async () => {
      const { uid, role, token } = await withRole()
      const { ann, bob } = scene
      const list = async () => idsOf(await api.ok('GET', '/users', { token, query: { uids: `${ann},${bob}` } }))
      await api.ok('POST', `/users/${uid}/friends`, { body: { accepted: [bob] } })
      await permit(role, { listUsers: 'deny', getUserDetails: 'deny' })
      await denied('listUsers', 'GET', '/users', { token })
      await denied('getUserDetails', 'GET', `/users/${ann}`, { token })
      await api.ok('GET', `/users/${uid}`, { token })
      await permit(role, { listUsers: 'allow', getUserDetails: 'allow' })
      expect(await list()).toEqual([ann, bob])
      await permit(role, { 'listUsers.mode': 'friends', 'getUserDetails.mode': 'friends' })
      expect(await list()).toEqual([bob])
      await denied('getUserDetails.mode', 'GET', `/users/${ann}`, { token })
      await api.ok('GET', `/users/${bob}`, { token })
      await permit(role, { 'listUsers.allowedRoles': ['none'], 'getUserDetails.allowedRoles': ['none'] })
      expect(await list()).toEqual([])
      await denied('getUserDetails.allowedRoles', 'GET', `/users/${bob}`, { token })
      await goneAfter(role)
    })

    test('the setting listUsers', async () => {
      const { uid, role, token } = await withRole({ settings: { listUsers: 'friendsOnly' } })
      expect(idsOf(await api.ok('GET', '/users', { token }))).toEqual([])
      await api.ok('POST', `/users/${uid}/friends`, { body: { accepted: [scene.bob] } })
      expect(idsOf(await api.ok('GET', '/users', { token }))).toEqual([scene.bob])
      await goneAfter(role)
    })

    test('to make and to list groups', async () => {
      const { role, token } = await withRole()
      const create = (guid: string, type: string) =>
        ['POST', '/groups', { token, body: { guid, name: guid, type } }] as const
      await permit(role, { 'createGroup.allowedGroupTypes': ['private'], 'listGroups.allowedGroupTypes': ['private'] })
      await denied('createGroup.allowedGroupTypes', ...create('open-one', 'public'))
      await api.fails('ERR_GUID_NOT_FOUND', 'GET', '/groups/open-one')
      await api.ok(...create('closed-one', 'private'))
      expect(idsOf(await api.ok('GET', '/groups', { token }))).toEqual(['closed-one'])
      await permit(role, { createGroup: 'deny', listGroups: 'deny' })
      await denied('createGroup', ...create('closed-two', 'private'))
      await denied('listGroups', 'GET', '/groups', { token })
      await goneAfter(role)
    })

    test('to list messages', async () => {
      const { uid, role, token } = await withRole()
      const { ann, group } = scene
      await api.ok('POST', `/groups/${group}/members`, { body: { participants: [uid] } })
      const text = (await api.ok('POST', '/messages', { onBehalfOf: ann, body: toUser(uid) })).data.id
      const custom = { ...toUser(uid), category: 'custom', type: 'x', data: { customData: {} } }
      const other = (await api.ok('POST', '/messages', { onBehalfOf: ann, body: custom })).data.id
      const list = async (path = `/users/${ann}/messages`) => idsOf(await api.ok('GET', path, { token }))
      expect(await list()).toEqual([text, other])
      await permit(role, { 'listMessages.allowedMessageCategories': ['message'] })
      expect(await list()).toEqual([text])
      await permit(role, {
        'listMessages.allowedMessageCategories': ['custom'],
        'listMessages.allowedMessageTypes': ['x'],
      })
      expect(await list()).toEqual([other])
      // What happened in a group is no message of anybody.
      expect((await list(`/groups/${group}/messages`)).length).toBeGreaterThan(0)
      await permit(role, { listMessages: 'deny' })
      await denied('listMessages', 'GET', `/groups/${group}/messages`, { token })
      await goneAfter(role)
    })

    test('keys and values are checked, and one that is wrong changes nothing', async () => {
      const { role } = await withRole()
      const path = `/roles/${role}/permissions`
      const body = { permissions: { sendMessage: 'deny', nothing: 'deny' } }
      const { details } = await api.fails('ERR_BAD_REQUEST', 'PUT', path, { body })
      expect(Object.keys(details)).toEqual(['permissions.nothing'])
      await api.fails('ERR_BAD_REQUEST', 'PUT', path, { body: { permissions: {} } })
      await api.fails('ERR_BAD_REQUEST', 'DELETE', `${path}/nothing`)
      const set = (await api.ok('GET', path)).data.filter((permission: Json) => 'value' in permission)
      expect(set).toEqual([])
      await goneAfter(role)
    })
  })

  describe('permissions of a scope', () => {
    test('hold for members of the scope, in this group', async () => {
      const { ann, bob, cara, group } = await makeScene(api)
      const path = `/groups/${group}/scopes/participant/permissions`
      const set = (permissions: object) => api.ok('PUT', path, { body: { permissions } })
      const say = (onBehalfOf: string, more: object = {}) =>
        ['POST', '/messages', { onBehalfOf, body: toGroup(group, 'x', more) }] as const
      const { id } = (await api.ok(...say(cara))).data
      await set({ sendMessage: 'deny' })
      await denied('sendMessage', ...say(cara))
      await api.ok(...say(bob))
      await api.ok('POST', '/messages', { body: toGroup(group) })
      await api.ok(...say(cara, { parentMessageId: id }))
      await set({ sendThreadedMessage: 'deny', editMessage: 'deny', listMembers: 'deny' })
      await denied('sendThreadedMessage', ...say(cara, { parentMessageId: id }))
      const edit = { onBehalfOf: cara, body: { data: { text: 'y' } } }
      await denied('editMessage', 'PUT', `/messages/${id}`, edit)
      const members = `/groups/${group}/members`
      await denied('listMembers', 'GET', members, { onBehalfOf: cara })
      await set({ listMembers: 'allow', 'listMembers.allowedScopes': ['admin'] })
      expect(idsOf(await api.ok('GET', members, { onBehalfOf: cara }))).toEqual([ann])
      expect(idsOf(await api.ok('GET', members, { onBehalfOf: bob })).length).toBeGreaterThan(2)
      // A scope is of the group: a promotion counts at once, and other groups are as they were.
      await api.ok('PUT', `${members}/${cara}`, { body: { scope: 'moderator' } })
      await api.ok(...say(cara))
      await api.ok('PUT', `/messages/${id}`, edit)
      await api.fails('ERR_BAD_REQUEST', 'GET', `/groups/${group}/scopes/owner/permissions`)
      await api.ok('PUT', `/groups/${group}/scopes/ADMIN/permissions`, {
        body: { permissions: { sendMessage: 'deny' } },
      })
      await denied('sendMessage', ...say(ann))
    })
  })
})

/** A body that the route takes. */
const bodyOf = (route: Route, { cara, group }: Scene): unknown => {
  const name = nameOf(route)
  if (name.endsWith('/members')) return { participants: [cara] }
  if (/^POST .*(messages|thread)$/.test(name)) return toGroup(group)
  return route.body === undefined ? {} : sampleOf(route.body as Parameters<typeof sampleOf>[0])
}
