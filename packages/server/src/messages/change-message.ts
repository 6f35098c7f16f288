import { type EditMessage, type MessageId, parseMessageId } from '@confab/protocol'
import type { Actor } from '../kernel/actor.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import { jsonText } from '../kernel/json.ts'
import type { App } from '../storage/sql/apps.ts'
import type { Store } from '../storage/store.ts'
import type { StoredMessage } from './message.ts'

interface Which {
  readonly app: App
  readonly actor: Actor
  /** As the path has it. */
  readonly id: string
}

export interface ChangeMessages {
  get(input: Which): Promise<StoredMessage>
  /** Answers the action message that tells of it. */
  edit(input: Which, body: EditMessage): Promise<StoredMessage>
  /** Answers the action message that tells of it. */
  remove(input: Which, options: { permanent: boolean }): Promise<StoredMessage>
}

export const messageIdOf = (id: string): MessageId => {
  const parsed = parseMessageId(id)
  if (parsed === undefined) throw new AppError('ERR_MESSAGE_ID_NOT_FOUND', { details: { id } })
  return parsed
}

export const makeChangeMessages = (deps: { store: Pick<Store, 'messages'>; clock: Clock }): ChangeMessages => {
  const { store, clock } = deps
  const change = ({ app, actor, id }: Which) => ({
    actor,
    appCreatedAt: app.createdAt,
    id: messageIdOf(id),
    now: toSeconds(clock.now()),
  })
  return {
    get: ({ actor, id }) => store.messages.find({ actor, id: messageIdOf(id) }),
    edit: async (input, { data, tags }) => {
      if (data === undefined && tags === undefined) throw badRequest({ data: 'or tags is required' })
      return store.messages.edit({ ...change(input), data, tags: jsonText(tags) ?? undefined })
    },
    remove: (input, { permanent }) => store.messages.remove({ ...change(input), permanent }),
  }
}
