import { ChangeMe, ClientSettings, Me, one, Success } from '@confab/protocol'
import type { Caller } from '../apps/authenticate.ts'
import { succeeded } from '../http/answers.ts'
import { type Route, route } from '../http/route.ts'
import { type Actor, asUser } from '../kernel/actor.ts'
import type { Asking, ManageMe, SettingsOf } from './manage-me.ts'

const tag = 'Me'
const path = '/me'

const askingOf = (request: { actor: Actor; caller: Caller; origin: string }): Asking => ({
  actor: asUser(request.actor),
  authToken: request.caller.kind === 'user' ? request.caller.authToken : undefined,
  origin: request.origin,
})

export const meRoutes = ({ me, settingsOf }: { me: ManageMe; settingsOf: SettingsOf }): readonly Route[] => [
  route({
    method: 'GET',
    path,
    tag,
    summary: 'Get oneself, with the pass for the WebSocket and the settings',
    forUsers: true,
    onBehalfOf: 'required',
    answer: one(Me),
    handle: async (request) => ({ data: await me.get(askingOf(request)) }),
  }),
  route({
    method: 'PUT',
    path,
    isCore: true,
    tag,
    summary: 'Log in, or change oneself; role and uid stay as they are',
    forUsers: true,
    onBehalfOf: 'required',
    body: ChangeMe,
    answer: one(Me),
    handle: async (request) => ({ data: await me.change(askingOf(request), request.body) }),
  }),
  route({
    method: 'DELETE',
    path,
    tag,
    summary: 'Log out; the auth token stays good until it is deleted',
    forUsers: true,
    onBehalfOf: 'required',
    answer: one(Success),
    handle: async (request) => {
      await me.get(askingOf(request))
      return succeeded('The user has been logged out successfully.')
    },
  }),
  route({
    method: 'GET',
    path: '/settings',
    tag,
    summary: 'Get the settings of clients: where everything is, and what there is',
    access: 'authOnly',
    forUsers: true,
    answer: one(ClientSettings),
    handle: async ({ origin }) => ({ data: settingsOf(origin) }),
  }),
]
