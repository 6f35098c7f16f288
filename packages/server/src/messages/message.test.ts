import type { ConversationId, MessageId, Uid } from '@confab/protocol'
import { expect, test } from 'vitest'
import { messageJson, type StoredMessage } from './message.ts'

const message: StoredMessage = {
  id: '42' as MessageId,
  conversationId: 'a_user_b' as ConversationId,
  sender: 'a' as Uid,
  receiverType: 'user',
  receiver: 'b',
  category: 'message',
  type: 'text',
  data: '{"text":"s3cret",  "z":1,"a":2,"metadata":{"k":"s3cret"},"entities":{"sender":{"entityType":"user"}}}',
  tags: '["x","y"]',
  muid: null,
  parentId: null,
  sentAt: 100,
  updatedAt: 100,
  editedAt: null,
  editedBy: null,
  deletedAt: null,
  deletedBy: null,
  reactions: null,
  quotedId: null,
  pinnedAt: null,
  pinnedBy: null,
  replyCount: 0,
}

const keysOf = (changed: Partial<StoredMessage>, withTags = false): string[] =>
  Object.keys(JSON.parse(messageJson({ ...message, ...changed }, { withTags })))

const HEAD = ['id', 'conversationId', 'sender', 'receiverType', 'receiver', 'category', 'type', 'data', 'sentAt']

test('the keys are in the order of the contract, and those without a value are left out', () => {
  expect(keysOf({})).toEqual([...HEAD, 'updatedAt'])
  const full = {
    muid: 'm"1',
    parentId: '7' as MessageId,
    editedAt: 110,
    editedBy: 'a',
    deletedAt: 120,
    deletedBy: 'app_system',
    updatedAt: 120,
  }
  expect(keysOf(full, true)).toEqual([
    'id',
    'muid',
    ...HEAD.slice(1),
    'editedAt',
    'editedBy',
    'deletedAt',
    'deletedBy',
    'updatedAt',
    'parentId',
    'tags',
  ])
  expect(JSON.parse(messageJson({ ...message, ...full }, { withTags: true }))).toMatchObject({
    id: '42',
    muid: 'm"1',
    parentId: '7',
    editedAt: 110,
    editedBy: 'a',
    deletedAt: 120,
    deletedBy: 'app_system',
    updatedAt: 120,
    tags: ['x', 'y'],
  })
})

test('stored data are embedded byte for byte', () => {
  expect(messageJson(message)).toContain(`"data":${message.data},"sentAt":100`)
})

test('tags are shown to those who ask', () => {
  expect(messageJson(message)).not.toContain('tags')
  expect(messageJson({ ...message, tags: null }, { withTags: true })).not.toContain('tags')
  expect(JSON.parse(messageJson(message, { withTags: true })).tags).toEqual(['x', 'y'])
})

test('a deleted message loses what was said and keeps who took part', () => {
  const json = messageJson({ ...message, deletedAt: 120, deletedBy: 'a' })
  expect(json).not.toContain('s3cret')
  expect(JSON.parse(json).data).toEqual({ entities: { sender: { entityType: 'user' } } })
})

test('a type of the sender’s own is escaped', () => {
  expect(JSON.parse(messageJson({ ...message, type: 'my "type"\\' })).type).toBe('my "type"\\')
})
