import { CreateBot, CreateGroup, DeleteOptions, ListUsers, UpdateUser } from '@confab/protocol'
import { expect, test } from 'vitest'
import { AppError } from '../kernel/app-error.ts'
import { makeCheck, makeQueryCheck } from './check.ts'

const problemsOf = (work: () => unknown): unknown => {
  try {
    return { taken: work() }
  } catch (error) {
    return error instanceof AppError ? error.details : error
  }
}

test('a body keeps what its schema names, and nothing else', () => {
  const body = { name: 'Ann', appId: 'other', uid: 'bob', created_at: 1, metadata: { appId: 'mine', x: { y: 1 } } }
  expect(makeCheck(UpdateUser, 'body')(body)).toEqual({ name: 'Ann', metadata: { appId: 'mine', x: { y: 1 } } })
})

test('objects within the body too', () => {
  const body = { guid: 'g', name: 'G', members: { admins: ['ann'], actor: 'bob' } }
  expect(makeCheck(CreateGroup, 'body')(body)).toEqual({ guid: 'g', name: 'G', members: { admins: ['ann'] } })
})

test('a body that may be left out', () => {
  const check = makeCheck(DeleteOptions, 'body')
  expect(check(null)).toBe(null)
  expect(check({ permanent: true, uid: 'bob' })).toEqual({ permanent: true })
  expect(problemsOf(() => check([1]))).toEqual({ body: 'must be object' })
  expect(problemsOf(() => check({ permanent: 'yes' }))).toEqual({ permanent: 'must be boolean' })
})

test('what an object inherits is not in it', () => {
  const body = Object.create({ name: 'inherited' }) as object
  expect(makeCheck(UpdateUser, 'body')(body)).toEqual({})
})

test('every field that is wrong is named', () => {
  const check = makeCheck(CreateBot, 'body')
  expect(problemsOf(() => check({ enabled: 'yes', groupChatSetting: 'some' }))).toMatchObject({
    uid: 'is required',
    enabled: 'must be boolean',
    groupChatSetting: 'must be one of none, allMessages, slashedMessages, mentionedMessages',
  })
  expect(problemsOf(() => check('text'))).toEqual({ body: 'must be object' })
})

test.each([
  [
    { page: '2', perPage: '10' },
    { page: 2, perPage: 10 },
  ],
  [{ withTags: '1' }, { page: 1, perPage: 100, withTags: true }],
  [
    { withTags: 'FALSE', count: '0' },
    { page: 1, perPage: 100, withTags: false, count: false },
  ],
  [{ tags: 'a,b' }, { page: 1, perPage: 100, tags: ['a', 'b'] }],
  [{ tags: ['a', 'b,c'] }, { page: 1, perPage: 100, tags: ['a', 'b', 'c'] }],
  [{ 'tags[]': ['a', 'b'] }, { page: 1, perPage: 100, tags: ['a', 'b'] }],
  [
    { 'tags[1]': 'b', 'tags[0]': 'a', 'tags[10]': 'c,d' },
    { page: 1, perPage: 100, tags: ['a', 'b', 'c', 'd'] },
  ],
  [
    { 'tags[x]': 'a', 'tagsx[0]': 'b', 'role[0]': 'c' },
    { page: 1, perPage: 100 },
  ],
  [{ searchKey: '' }, { page: 1, perPage: 100 }],
  [{ role: ['a', 'b'] }, { page: 1, perPage: 100, role: 'b' }],
  [{ appId: 'other' }, { page: 1, perPage: 100 }],
])('the query %j is %j', (raw, query) => {
  expect(makeQueryCheck(ListUsers)(raw)).toEqual(query)
})

test.each(['abc', '1.5', '0', '-1', '1e3', '99999999999999999999', '1 '])('a page is not %j', (page) => {
  expect(Object.keys(problemsOf(() => makeQueryCheck(ListUsers)({ page })) as object)).toEqual(['page'])
})
