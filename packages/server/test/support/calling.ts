/** Calls in whatever state a test needs, each among people of its own. */
import type { Api, Json } from './api.ts'

export type Status = 'initiated' | 'ongoing' | 'rejected' | 'cancelled' | 'busy' | 'unanswered' | 'ended'

let calls = 0

export interface Caller {
  readonly ann: string
  readonly bob: string
  readonly cara: string
  readonly group: string
}

export const makeCaller = async (api: Api): Promise<Caller> => {
  const number = ++calls
  const [ann, bob, cara, group] = ['call-a', 'call-b', 'call-c', 'call-g'].map((name) => `${name}${number}`)
  const made = { ann, bob, cara, group } as Caller
  for (const uid of [made.ann, made.bob, made.cara]) await api.ok('POST', '/users', { body: { uid, name: uid } })
  await api.ok('POST', '/groups', {
    body: { guid: group, name: 'x', owner: made.ann, members: { participants: [made.bob, made.cara] } },
  })
  return made
}

export const callBody = (receiver: string, receiverType: 'user' | 'group' = 'user', more: object = {}): object => ({
  ...{ receiver, receiverType, category: 'call', type: 'audio', status: 'initiated' },
  ...more,
})

export const call = async (api: Api, onBehalfOf: string, body: object): Promise<Json> =>
  (await api.ok('POST', '/calls', { onBehalfOf, body })).data

export const sessionIn = (message: Json): string => message.data.entities.on.entity.sessionid

export const change = async (api: Api, sessionId: string, onBehalfOf: string, status: Status): Promise<Json> =>
  (await api.ok('PUT', `/calls/${sessionId}`, { onBehalfOf, body: { status } })).data
