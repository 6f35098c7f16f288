import { type EditMessage, type MessageId, parseMessageId } from '@confab/protocol'
import type { Teller } from '../callbacks/tell.ts'
import type { Actor } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { Client } from '../kernel/client.ts'
import { definedOf } from '../kernel/defined.ts'
import { jsonText } from '../kernel/json.ts'
import type { Live } from '../live/live.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import type { ViewedMessage, ViewOptions } from '../storage/sql/messages/message-views.ts'
import type { MessageChanged } from '../storage/sql/messages/messages.ts'
import type { Store } from '../storage/store.ts'
import type { StoredMessage } from './message.ts'

interface Which {
  readonly app: App
  readonly actor: Actor
  /** As the path has it. */
  readonly id: string
}

interface By {
  readonly client: Client
}

export interface ChangeMessages {
  get(input: Which & ViewOptions): Promise<ViewedMessage>
  /** Answers the action message that tells of it. */
  edit(input: Which & By, body: EditMessage): Promise<StoredMessage>
  /** Answers the action message that tells of it. */
  remove(input: Which & By, options: { permanent: boolean }): Promise<StoredMessage>
}

export const messageIdOf = (id: string): MessageId => {
  const parsed = parseMessageId(id)
  if (parsed === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { id } })
  return parsed
}

export const makeChangeMessages = (deps: {
  store: Pick<Store, 'messages'>
  teller: Teller
  live: Pick<Live, 'said'>
}): ChangeMessages => {
  const { store, teller, live } = deps
  const change = ({ app, actor, id, client }: Which & By) => ({
    actor,
    appCreatedAt: app.createdAt,
    id: messageIdOf(id),
    telling: teller.telling(client),
  })
  const handOn = ({ app, client }: Which & By, { action, isNew, told }: MessageChanged): StoredMessage => {
    if (!isNew) return action
    const { conversationId, sender } = action
    teller.told(told, { appId: app.id, conversationId, sender })
    live.said({ appId: app.id, deviceId: client.resource }, action)
    return action
  }
  return {
    get: ({ actor, id, withThreadSubscribed }) =>
      store.messages.find({ actor, id: messageIdOf(id), ...definedOf({ withThreadSubscribed }) }),
    edit: async (input, { data, tags }) => {
      if (data === undefined && tags === undefined) throw badRequest({ data: 'or tags is required' })
      return handOn(input, await store.messages.edit({ ...change(input), data, tags: jsonText(tags) ?? undefined }))
    },
    remove: async (input, { permanent }) => handOn(input, await store.messages.remove({ ...change(input), permanent })),
  }
}
