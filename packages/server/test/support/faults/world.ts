/** What the requests that fail are about: a scene, and those who are not of it. */
import type { Api } from '../api.ts'
import { call, callBody, sessionIn } from '../calling.ts'
import { makeScene, type Scene, toUser } from '../scene.ts'
import { makeFetcher } from './bots.ts'

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
