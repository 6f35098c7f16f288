/** A request that would be right. */
import type { Route } from '../../../src/http/route.ts'
import { sampleOf } from '../cases.ts'
import { nameOf } from '../routes.ts'
import { toUser } from '../scene.ts'
import { isEdit, sends } from './fault.ts'
import { HOOK } from './webhooks.ts'
import type { World } from './world.ts'

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

/** Who acts in it. */
export const rightActor = (route: Route, { ann }: World): string | undefined =>
  route.onBehalfOf === 'required' || (route.onBehalfOf !== 'none' && sends(route)) ? ann : undefined
