/** Messages: what they hold, whom they answer, who may have them. */
import { defaultLimits } from '@confab/protocol'
import type { Route } from '../../../src/http/route.ts'
import { toUser } from '../scene.ts'
import { type Fault, type Faults, fresh, isEdit, sends } from './fault.ts'
import type { World } from './world.ts'

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

/** One message more than may be pinned, or saved. */
export const keeping = async ({ api, bob }: Pick<World, 'api' | 'bob'>, what: 'pin' | 'save'): Promise<Fault> => {
  const onBehalfOf = fresh('keeper')
  await api.ok('POST', '/users', { body: { uid: onBehalfOf, name: 'x' } })
  const send = async () => (await api.ok('POST', '/messages', { onBehalfOf, body: toUser(bob) })).data.id as string
  const max = what === 'pin' ? defaultLimits.pinnedPerConversation : defaultLimits.savedPerUser
  for (let n = 0; n < max; n++) await api.ok('POST', `/messages/${await send()}/${what}`, { onBehalfOf })
  return { onBehalfOf, names: { id: await send() } }
}

export const messageFaults: Faults = {
  ERR_EMPTY_RECEIVER: said({ receiver: '' }),
  ERR_INVALID_RECEIVER_TYPE: said({ receiverType: 'room' }),
  ERR_EMPTY_MESSAGE_CATEGORY: said({ category: '' }),
  ERR_INVALID_MESSAGE_CATEGORY: said({ category: 'other' }),
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
  ERR_PINNED_MESSAGES_LIMIT_EXCEEDED: (world) => keeping(world, 'pin'),
  ERR_SAVED_MESSAGES_LIMIT_EXCEEDED: (world) => keeping(world, 'save'),
  ERR_MESSAGE_NO_ACCESS: ({ cara }) => ({ onBehalfOf: cara }),
  ERR_MESSAGE_NOT_A_SENDER: ({ bob }) => ({ onBehalfOf: bob }),
  ERR_MESSAGE_ACTION_NOT_ALLOWED: ({ action }) => ({ names: { id: action } }),
  ERR_WRONG_MESSAGE_THREAD: replying(({ message }) => message, 'cara'),
  ERR_MESSAGE_THREAD_NESTING: replying(({ reply }) => reply),
  ERR_WRONG_MESSAGE_THREAD_CATEGORY: replying(({ action }) => action),
}
