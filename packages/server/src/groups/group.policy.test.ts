import { scopes } from '@confab/protocol'
import { describe, expect, test } from 'vitest'
import {
  mayAddMembers,
  mayDeleteGroup,
  mayGiveScope,
  mayManageMember,
  mayUpdateGroup,
  type Standing,
} from './group.policy.ts'

const ADMIN = 'ERR_GROUP_NO_ADMIN_SCOPE'
const MODERATOR = 'ERR_GROUP_NO_MODERATOR_SCOPE'
const CLEARANCE = 'ERR_GROUP_NO_SCOPE_CLEARANCE'
const SELF = 'ERR_GROUP_NO_SELF_ACTION'
const JOINED = 'ERR_GROUP_NOT_JOINED'
const standings: readonly Standing[] = ['app', 'admin', 'moderator', 'participant', undefined]
const targets = [...scopes, undefined] as const

test.each([
  ['app', undefined, undefined],
  ['admin', undefined, undefined],
  ['moderator', undefined, ADMIN],
  ['participant', MODERATOR, ADMIN],
  [undefined, JOINED, JOINED],
] as const)('%s may update %s, delete and add %s', (actor, update, remove) => {
  expect(mayUpdateGroup(actor)).toBe(update)
  expect(mayDeleteGroup(actor)).toBe(remove)
  expect(mayAddMembers(actor)).toBe(remove)
})

describe('managing a member', () => {
  const expected = {
    app: [undefined, undefined, undefined, undefined],
    admin: [undefined, undefined, undefined, undefined],
    moderator: [CLEARANCE, CLEARANCE, undefined, undefined],
    participant: [MODERATOR, MODERATOR, MODERATOR, MODERATOR],
    nobody: [JOINED, JOINED, JOINED, JOINED],
  } as const

  test.each(standings)('%s, of an admin, a moderator, a participant, an outsider', (actor) => {
    expect(targets.map((target) => mayManageMember(actor, target, false))).toEqual(expected[actor ?? 'nobody'])
  })

  test.each(standings)('%s, of themself', (actor) => {
    const verdict = actor === 'app' ? undefined : actor === undefined ? JOINED : SELF
    expect(targets.map((target) => mayManageMember(actor, target, true))).toEqual(targets.map(() => verdict))
  })
})

test('only a moderator is kept from giving a scope, and only that of admin', () => {
  const refused = standings.flatMap((actor) =>
    scopes.filter((scope) => mayGiveScope(actor, scope) !== undefined).map((scope) => `${actor} ${scope}`),
  )
  expect(refused).toEqual(['moderator admin'])
  expect(mayGiveScope('moderator', 'admin')).toBe(CLEARANCE)
})
