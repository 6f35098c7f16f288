/** What the tables share: what an operation is, what earlier ones made for later ones, and what answers look like. */
import { expect } from 'vitest'
import type { Api, Json } from '../../support/api.ts'

export interface Made {
  readonly api: Api
  apiKey: string
  token: string
  /** Of ann to bob. */
  message: string
  /** To the bot. */
  delivery: string
}

type Operation = (made: Made) => Promise<void>

/** By route, as in `GET /users/:uid`, in the order in which they run. */
export type Operations = Readonly<Record<string, Operation>>

/** In the order of the tables. A route may be in one of them only: a spread would hide one of the two. */
export const joined = (tables: readonly Operations[]): Operations => {
  const all = new Map<string, Operation>()
  for (const [name, operation] of tables.flatMap((table) => Object.entries(table))) {
    if (all.has(name)) throw new Error(`two tables have ${name}`)
    all.set(name, operation)
  }
  return Object.fromEntries(all)
}

export const USER = [
  'uid',
  'name',
  'link',
  'avatar',
  'metadata',
  'status',
  'statusMessage',
  'role',
  'createdAt',
  'tags',
]
export const PLAIN_USER = ['uid', 'name', 'status', 'role', 'createdAt']
export const GROUP = [
  'guid',
  'name',
  'description',
  'icon',
  'type',
  'membersCount',
  'conversationId',
  'hasJoined',
  'createdAt',
]
export const JOINED = ['scope', 'joinedAt', 'owner', 'tags', 'metadata']
const MESSAGE = ['id', 'conversationId', 'sender', 'receiverType', 'receiver', 'category', 'type', 'data', 'sentAt']
export const SENT = [...MESSAGE, 'updatedAt']
export const PERMISSION = [
  ...['id', 'type', 'title', 'description', 'dataType', 'availableValues', 'defaultValue', 'createdAt', 'updatedAt'],
]
export const SUCCESS = ['success', 'message']
const PAGE = ['total', 'count', 'per_page', 'current_page', 'total_pages']

/** `lastActiveAt` comes and goes with what a user does: not every sample shows it. */
const keysOf = (value: object): string[] => Object.keys(value).filter((key) => key !== 'lastActiveAt')

export const expectKeys = (value: object, keys: readonly string[]): void => {
  expect(keysOf(value).sort()).toEqual([...keys].sort())
}

export const expectPage = (list: Json, keys: readonly string[], options: { cursor?: boolean } = {}): void => {
  expectKeys(list, ['data', 'meta', ...(options.cursor ? ['cursor'] : [])])
  expectKeys(list.meta.pagination, PAGE)
  if (options.cursor) expectKeys(list.cursor, ['updatedAt', 'affix'])
  expect(list.data.length).toBeGreaterThan(0)
  expect(list.meta.pagination.count).toBe(list.data.length)
  expectKeys(list.data[0], keys)
}

export const expectAction = (message: Json, action: string, entities: readonly string[]): void => {
  expectKeys(message, SENT)
  expect(message).toMatchObject({ category: 'action', data: { action } })
  expectKeys(message.data.entities, entities)
}
