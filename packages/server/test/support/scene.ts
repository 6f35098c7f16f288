/** What most tests need: people, a group, a bot. Every scene has names of its own, so that one server carries many. */
import { expect } from 'vitest'
import type { Api, Json } from './api.ts'

let scenes = 0

export interface Scene {
  readonly ann: string
  readonly bob: string
  readonly cara: string
  readonly bot: string
  /** Owner ann, moderator bob, participant cara, the bot. */
  readonly group: string
}

export const makeScene = async (api: Api): Promise<Scene> => {
  const number = ++scenes
  const name = (what: string): string => `${what}-${number}`
  const scene = { ann: name('ann'), bob: name('bob'), cara: name('cara'), bot: name('bot'), group: name('group') }
  for (const uid of [scene.ann, scene.bob, scene.cara, scene.bot]) {
    await api.ok('POST', '/users', { body: { uid, name: uid.toUpperCase() } })
  }
  await api.ok('POST', '/bots', { body: { uid: scene.bot, webhookURL: 'https://bot.example/callback' } })
  const members = { moderators: [scene.bob], participants: [scene.cara, scene.bot] }
  await api.ok('POST', '/groups', {
    body: { guid: scene.group, name: 'Group', type: 'public', owner: scene.ann, members },
  })
  return scene
}

export const toUser = (receiver: string, text = 'hello', more: object = {}): object => ({
  receiver,
  receiverType: 'user',
  data: { text },
  ...more,
})

export const toGroup = (receiver: string, text = 'hello', more: object = {}): object => ({
  receiver,
  receiverType: 'group',
  data: { text },
  ...more,
})

/** The uids, guids or ids of a list. */
export const idsOf = (list: Json): string[] =>
  list.data.map((row: Json) => row.id ?? row.authToken ?? row.apiKey ?? row.guid ?? row.uid)

/** Everything that can be listed: what changed nothing leaves it as it was. */
export const digestOf = async (api: Api, { perPage = 1000 } = {}): Promise<string> => {
  const all = { perPage, withTags: true }
  const users = await api.ok('GET', '/users', { query: { ...all, withDeactivated: true } })
  const groups = await api.ok('GET', '/groups', { query: all })
  const parts: Json[] = [users, groups]
  for (const guid of idsOf(groups)) {
    parts.push(await api.ok('GET', `/groups/${guid}/members`, { query: { perPage } }))
    parts.push(await api.ok('GET', `/groups/${guid}/bannedusers`, { query: { perPage } }))
  }
  for (const user of users.data) {
    if (user.deactivatedAt !== undefined) continue
    for (const of of ['auth_tokens', 'friends', 'blockedusers']) {
      parts.push(await api.ok('GET', `/users/${user.uid}/${of}`, { query: { perPage } }))
    }
  }
  const roles = await api.ok('GET', '/roles', { query: { perPage } })
  parts.push(roles)
  for (const { role } of roles.data) {
    for (const of of ['restrictedfeatures', 'permissions']) parts.push(await api.ok('GET', `/roles/${role}/${of}`))
  }
  parts.push(await api.ok('GET', '/bots', { query: { perPage } }))
  const hooks = await api.ok('GET', '/webhooks', { query: { perPage } })
  parts.push(hooks)
  for (const id of idsOf(hooks)) parts.push(await api.ok('GET', `/webhooks/${id}/triggers`))
  parts.push(await api.ok('GET', '/apikeys', { query: { perPage } }))
  parts.push(await api.ok('GET', '/messages', { query: { limit: perPage, withTags: true } }))
  expect(parts[0].data.length).toBeGreaterThan(0)
  return JSON.stringify(parts)
}
