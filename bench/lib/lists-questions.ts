/** Every kind of list, as it is asked of a store: the same of a small and of a large one. */
import type { ListsStore } from './lists-store.ts'

export interface Question {
  readonly name: string
  readonly as?: 'calm' | 'busy'
  readonly path: (store: ListsStore) => string
}

const q = (name: string, path: Question['path'] | string, as?: Question['as']): Question => ({
  name,
  path: typeof path === 'string' ? () => path : path,
  ...(as && { as }),
})

/** As many as the conversations of the small store have on either side of the middle. */
const FEW = 5
const CALM_1TO1 = '/users/u0/messages'
const GROUP = '/groups/g/messages'
const cursors = (name: string, path: string, as?: Question['as'], limit = 50): readonly Question[] => [
  q(`${name}, newest`, `${path}?affix=prepend&limit=${limit}`, as),
  q(`${name}, oldest`, `${path}?affix=append&limit=${limit}`, as),
  q(`${name}, before the middle`, ({ middleId }) => `${path}?affix=prepend&limit=${limit}&id=${middleId}`, as),
  q(`${name}, after the middle`, ({ middleId }) => `${path}?affix=append&limit=${limit}&id=${middleId}`, as),
]

export const questions: readonly Question[] = [
  ...cursors('messages of a conversation', CALM_1TO1, 'calm', FEW),
  ...cursors('messages of the group', GROUP, 'calm'),
  q(
    '  after a time in the middle',
    ({ middleSentAt }) => `${GROUP}?affix=append&limit=50&sentAt=${middleSentAt}`,
    'calm',
  ),
  q('  before it', ({ middleSentAt }) => `${GROUP}?affix=prepend&limit=50&sentAt=${middleSentAt}`, 'calm'),
  q('  since it', ({ middleSentAt }) => `${GROUP}?limit=50&fromTimestamp=${middleSentAt}`, 'calm'),
  q('  of one type', `${GROUP}?affix=prepend&limit=50&types=image`, 'calm'),
  q('  of one sender', `${GROUP}?affix=prepend&limit=5&sender=u7`, 'calm'),
  q('  without replies', `${GROUP}?affix=prepend&limit=50&hideReplies=true`, 'calm'),
  q('  with reactions', `${GROUP}?affix=prepend&limit=50&hasReactions=true`, 'calm'),
  q('  pinned', `${GROUP}?affix=prepend&limit=50&pinned=true`, 'calm'),
  q('  saved', `${GROUP}?affix=prepend&limit=50&saved=true`, 'calm'),
  q('  edited', `${GROUP}?affix=prepend&limit=50&onlyUpdates=true&updatedAt=1`, 'calm'),
  q('  unread', `${GROUP}?affix=append&limit=50&unread=true`, 'calm'),
  ...cursors('messages of a user with 30 conversations', '/messages', 'calm'),
  q('  unread', '/messages?affix=append&limit=50&unread=true', 'calm'),
  q('  saved', '/messages?affix=prepend&limit=50&saved=true', 'calm'),
  q('  pinned', '/messages?affix=prepend&limit=50&pinned=true', 'calm'),
  ...cursors('messages of a user with many', '/messages', 'busy'),
  q('  unread', '/messages?affix=append&limit=50&unread=true', 'busy'),
  q('messages of a user, one to one, for the app', '/users/busy/messages?affix=prepend&limit=50'),
  ...cursors('messages of the app', '/messages'),
  ...[undefined, 'calm' as const].flatMap((as) => {
    const name = `thread, for ${as === undefined ? 'the app' : 'a member'}`
    return [
      q(`${name}, newest`, ({ rootId }) => `/messages/${rootId}/thread?affix=prepend&limit=50`, as),
      q(`${name}, oldest`, ({ rootId }) => `/messages/${rootId}/thread?limit=50`, as),
    ]
  }),
  q('threads of the group', '/groups/g/threads?limit=30', 'calm'),
  q('  from the middle on', ({ middleRootId }) => `/groups/g/threads?limit=20&id=${middleRootId}`, 'calm'),
  q('threads of a user', '/threads?limit=30', 'busy'),
  q('reactions', ({ reactedId }) => `/messages/${reactedId}/reactions?limit=100`, 'calm'),
  q('  of one kind', ({ reactedId }) => `/messages/${reactedId}/reactions/r3?limit=100`, 'calm'),
  q('conversations of a user with 30', '/conversations?perPage=30', 'calm'),
  q('conversations of a user with many', '/conversations?perPage=30', 'busy'),
  q('  page 3', '/conversations?perPage=30&page=3', 'busy'),
  q('  unread', '/conversations?perPage=30&unread=true', 'busy'),
  q('unread counts, 30', '/messages?unread=true&count=true', 'calm'),
  q('unread counts, many', '/messages?unread=true&count=true', 'busy'),
  q('conversations of the app', '/conversations?perPage=30'),
  q('members, first page', '/groups/g/members?perPage=50'),
  q('  for a member', '/groups/g/members?perPage=50', 'calm'),
  q('users, first page', '/users?perPage=50'),
  q('  page 3', '/users?perPage=50&page=3'),
  q('  for a user', '/users?perPage=50', 'calm'),
  q('  by name', '/users?perPage=50&sortBy=name'),
  q('  friends', '/users/calm/friends?perPage=50'),
  q('  blocked', '/users/calm/blockedusers?perPage=50'),
  q('groups', '/groups?perPage=50', 'calm'),
]

/** As it goes over the wire. */
export const requestOf = (store: ListsStore, { path, as }: Question): string => {
  const headers = { host: '127.0.0.1', ...store.headers, ...(as && { onbehalfof: as }) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET /v3${path(store)} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** How many rows it finds. */
export const rowsOf = async (port: number, store: ListsStore, { path, as, name }: Question): Promise<number> => {
  const headers = { ...store.headers, ...(as && { onbehalfof: as }) }
  const answer = await fetch(`http://127.0.0.1:${port}/v3${path(store)}`, { headers })
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { data: unknown[] }).data.length
}
