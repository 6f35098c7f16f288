import { expect, test } from 'vitest'
import { callbackOf, uidOf } from '../../testing/builders.ts'
import type { SealedBot } from '../sql/apps/master-keys.ts'
import { expectCode, type Subject, worldOf } from './subject.ts'

export const botSecretsConformance = (subject: Subject): void => {
  test('a rotation keeps the secret before it, and no other', async () => {
    const w = await worldOf(subject)
    const { appId, store } = w
    const uid = uidOf('bot')
    await w.user('ann')
    await w.bot('bot')
    await w.bot('other')
    const rotate = (secret: string, previousExpiresAt: number | null) =>
      store.bots.rotateSecret({ appId, uid, secret, previousExpiresAt, now: w.now() })
    const signedWith = async (to = 'bot') => {
      const { claims } = await w.send({ from: 'ann', to, claimer: w.claimer() })
      const { secrets, previousSecret } = callbackOf(claims[0])
      return { secrets, previousSecret }
    }
    w.clock.advance(1000)
    expect(await rotate('two', 5000)).toMatchObject({ uid: 'bot', updatedAt: w.now() })
    expect(JSON.stringify(await rotate('three', 6000))).not.toMatch(/two|three|6000/)
    expect(await signedWith()).toEqual({ secrets: ['three'], previousSecret: { secret: 'two', expiresAt: 6000 } })
    const other = await signedWith('other')
    expect(other).toEqual({ secrets: [expect.stringMatching(/^whsec_/)], previousSecret: undefined })
    await expectCode(
      store.bots.rotateSecret({ appId, uid: uidOf('ann'), secret: 'x', previousExpiresAt: null, now: 1 }),
      'ERR_BOT_NOT_FOUND',
    )
  })

  test('without an overlap nothing is kept; of two at once the later one keeps the earlier', async () => {
    const w = await worldOf(subject)
    const { appId, store } = w
    const uid = uidOf('bot')
    await w.bot('bot')
    const rotate = (in_: typeof store, secret: string, previousExpiresAt: number | null) =>
      in_.bots.rotateSecret({ appId, uid, secret, previousExpiresAt, now: w.now() })
    const stored = async () =>
      (await store.masterKeys.sealed({ after: { appId, uid: '' }, limit: 1 })).find((bot) => bot.uid === uid)
    await rotate(store, 'two', 5000)
    await rotate(store, 'three', null)
    expect(await stored()).toMatchObject({ signing_secret: 'three', previous_secret: null })
    await Promise.all([rotate(store, 'four', 5000), rotate(subject().peer, 'five', 5000)])
    const { signing_secret, previous_secret } = (await stored()) ?? {}
    expect([signing_secret, previous_secret].sort()).toEqual(['five', 'four'])
  })

  test('passwords are told as they are stored, of those who have one', async () => {
    const w = await worldOf(subject)
    const { appId, store } = w
    await w.bot('a', { password: 'sealed a' })
    await w.bot('b', { password: '' })
    await w.bot('c', { password: 'sealed c' })
    await w.bot('d')
    const passwords = await store.bots.passwords({ appId, uids: ['a', 'b', 'd', 'nobody'].map(uidOf) })
    expect([...passwords].sort((x, y) => x.uid.localeCompare(y.uid))).toEqual([
      { uid: 'a', password: 'sealed a' },
      { uid: 'b', password: '' },
    ])
  })

  test('master keys are known until they are removed', async () => {
    const w = await worldOf(subject)
    const { masterKeys } = w.store
    const id = w.appId
    const mine = async () => (await masterKeys.list({})).filter((key) => key.id.startsWith(id))
    await masterKeys.add({ id: `${id}2`, check: 'b', now: 1 })
    await masterKeys.add({ id: `${id}1`, check: 'a', now: 1 })
    await masterKeys.add({ id: `${id}1`, check: 'another', now: 2 })
    expect(await mine()).toEqual([
      { id: `${id}1`, check: 'a' },
      { id: `${id}2`, check: 'b' },
    ])
    await masterKeys.remove({ id: `${id}1` })
    await masterKeys.remove({ id: `${id}1` })
    expect(await mine()).toEqual([{ id: `${id}2`, check: 'b' }])
    await masterKeys.remove({ id: `${id}2` })
  })

  test('sealed values are listed app by app in pages, and changed only if they are still the same', async () => {
    const w = await worldOf(subject)
    const { appId, store } = w
    for (const uid of ['a', 'b', 'c']) await w.bot(uid, { password: `password ${uid}` })
    const found: SealedBot[] = []
    let after = { appId: '', uid: '' }
    for (;;) {
      const page = await store.masterKeys.sealed({ after, limit: 2 })
      found.push(...page)
      const last = page.at(-1)
      if (last === undefined) break
      expect([last.app_id, last.uid] > [after.appId, after.uid]).toBe(true)
      after = { appId: last.app_id, uid: last.uid }
    }
    const mine = found.filter((bot) => bot.app_id === appId)
    expect(mine.map(({ uid, password }) => [uid, password])).toEqual([
      ['a', 'password a'],
      ['b', 'password b'],
      ['c', 'password c'],
    ])
    const from = mine[1]?.signing_secret ?? ''
    const reseal = (column: 'signing_secret' | 'previous_secret' | 'password', was: string, to: string) =>
      store.masterKeys.reseal({ values: [{ appId, uid: uidOf('b'), column, from: was, to }] })
    expect(await reseal('signing_secret', 'something else', 'x')).toBe(0)
    expect(await reseal('signing_secret', from, 'sealed')).toBe(1)
    expect(await reseal('password', 'password b', 'sealed too')).toBe(1)
    await store.bots.rotateSecret({ appId, uid: uidOf('b'), secret: 'next', previousExpiresAt: 9, now: 1 })
    expect(await reseal('previous_secret', 'sealed', 'sealed again')).toBe(1)
    const [, b, c] = await store.masterKeys.sealed({ after: { appId, uid: '' }, limit: 3 })
    expect(b).toMatchObject({ signing_secret: 'next', previous_secret: 'sealed again', password: 'sealed too' })
    expect(c).toMatchObject({ uid: 'c', previous_secret: null, password: 'password c' })
  })
}
