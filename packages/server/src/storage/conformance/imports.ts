import { defaultLimits, type ImportKind } from '@confab/protocol'
import { expect, test } from 'vitest'
import { type ImportRow, makeReadRow } from '../../imports/import-row.ts'
import { uidOf, type World } from '../../testing/builders.ts'
import { type Subject, worldOf } from './subject.ts'

const unchecked = (value: unknown): unknown => value
const unlooked = { user: unchecked, group: unchecked, member: unchecked, message: unchecked }
const readRow = makeReadRow(unlooked, defaultLimits)

const importsOf = (w: World, store = w.store) => {
  const add = async (kind: ImportKind, ...values: readonly object[]) => {
    const rows: ImportRow[] = []
    for (const value of values) rows.push(await readRow(kind, value, w.now()))
    return store.imports.add({ appId: w.appId, appCreatedAt: w.appCreatedAt, rows, withRows: false })
  }
  const message = (muid: string, sentAt: number, more: object = {}) => ({
    ...{ muid, sender: 'ann', receiverType: 'user', receiver: 'bob', data: { text: muid }, sentAt },
    ...more,
  })
  return { add, message }
}

const done = (id: unknown, existed = false): object => ({ ok: true, id, existed, json: null })

export const importsConformance = (subject: Subject): void => {
  test('rows are added once, each for itself', async () => {
    const w = await worldOf(subject)
    const { add } = importsOf(w)
    const ann = { uid: 'ann', name: 'Ann', createdAt: 5 }
    expect(await add('user', ann, ann, { uid: 'bob', name: 'Bob', role: 'none' })).toEqual([
      done('ann'),
      done('ann', true),
      { ok: false, code: 'ERR_ROLE_NOT_FOUND', details: { role: 'none' } },
    ])
    const group = { guid: 'g', name: 'G', type: 'public', owner: 'ann', createdAt: 6 }
    expect(await add('group', group, group)).toEqual([done('g'), done('g', true)])
    const members = await w.store.members.list({ actor: w.app, guid: 'g' as never, page: { page: 1, perPage: 10 } })
    expect(members.rows).toMatchObject([{ uid: 'ann', scope: 'admin', joinedAt: 6 }])
    expect(await w.store.users.find({ appId: w.appId, uid: uidOf('ann') })).toMatchObject({
      createdAt: 5,
      lastActiveAt: 5,
    })
  })

  test('two imports of the same at once add it once', async () => {
    const w = await worldOf(subject)
    const { store, peer } = subject()
    const [one, other] = [importsOf(w, store), importsOf(w, peer)]
    const numbers = Array.from({ length: 20 }, (_, n) => n)
    const users = numbers.map((n) => ({ uid: `u${n}`, name: 'x' }))
    const messages = numbers.map((n) => ({
      ...one.message(String(n), n, { sender: `u${n}`, receiver: `u${(n + 1) % 20}`, readAt: n }),
    }))
    const outcomes = await Promise.all([one.add('user', ...users), other.add('user', ...users.toReversed())])
    const sent = await Promise.all([one.add('message', ...messages), other.add('message', ...messages.toReversed())])
    for (const pair of [outcomes, sent]) {
      const existed = pair.flat().map((outcome) => outcome.ok && outcome.existed)
      expect(existed.filter((was) => was === true)).toHaveLength(20)
      expect(existed.filter((was) => was === false)).toHaveLength(20)
    }
    expect((await w.list()).rows).toHaveLength(20)
  })

  test('a conversation is as old as what was said in it first, and as new as what was said last', async () => {
    const w = await worldOf(subject)
    const { add, message } = importsOf(w)
    await w.users('ann', 'bob')
    await add('message', message('2', 200), message('1', 100), message('3', 300, { parentMuid: '1' }))
    const page = { page: 1, perPage: 10 }
    const filter = { unread: false, includeBlockedUsers: false, hideAgentic: false, onlyAgentic: false }
    const { rows } = await w.store.conversations.list({ actor: w.as('bob'), appCreatedAt: 1, filter, page })
    expect(rows).toMatchObject([{ createdAt: 100, updatedAt: 200, unreadMessageCount: 2 }])
  })

  test('what was sent, received and read between two times is found, with imports before, between and after', async () => {
    const w = await worldOf(subject)
    const { add, message } = importsOf(w)
    await w.users('ann', 'bob', 'cara')
    const start = w.now()
    const many = (name: string, count: number, sentAt: number) =>
      add(
        'message',
        ...Array.from({ length: count }, (_, n) => message(`${name}${n}`, sentAt + n, { readAt: sentAt + n })),
      )
    await many('first', 300, 1000)
    const hours: number[] = []
    for (let hour = 0; hour < 6; hour++) {
      hours.push(w.now())
      for (let n = 0; n < 60; n++) await w.send({ from: hour % 2 ? 'ann' : 'cara', to: 'bob' })
      await many(`old${hour}`, 300, 2000)
      w.clock.advance(3_600_000)
    }
    await many('recent', 50, start + 100)
    for (const [hour, from] of hours.entries()) {
      const window = { appId: w.appId, from, to: from + 1000 }
      const range = await w.store.stats.idRange(window)
      const sent = await w.store.stats.sent({ ...window, ...range, seconds: 100 })
      // Imports count where they lie within the range, with the times that they bear.
      expect(sent).toEqual([{ point: 0, n: 60 }])
      expect(await w.store.stats.senders({ ...window, ...range })).toEqual([hour % 2 ? 'ann' : 'cara'])
      // Of 2,500, most of what came long before and long after is not looked at; other tests have left theirs between.
      expect(range.upTo - range.after).toBeLessThan(2000)
    }
    const old = { appId: w.appId, from: 2000, to: 2300 }
    expect(await w.store.stats.readers(old)).toEqual(['bob'])
    const receipts = await w.store.stats.receipts({ ...old, seconds: 100 })
    const points = receipts.map(({ point, kind }) => `${point} ${kind}`).sort()
    expect(points).toEqual(['0 delivered', '0 read', '1 delivered', '1 read', '2 delivered', '2 read'])
  }, 60_000)
}
