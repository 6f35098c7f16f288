import { defaultLimits } from '@confab/protocol'
import { expect, test } from 'vitest'
import { callbackOf, uidOf } from '../../testing/builders.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

export const botsConformance = (subject: Subject): void => {
  test('a bot comes back as it was made, without what is secret', async () => {
    const w = await worldOf(subject)
    const made = await w.bot('bot', { useBasicAuth: true, username: 'u', password: 'p' })
    expect(made).toEqual({
      uid: 'bot',
      webhookURL: 'http://127.0.0.1:1/bot',
      groupChatSetting: 'allMessages',
      enabled: true,
      useBasicAuth: true,
      username: 'u',
      createdAt: w.now(),
    })
    expect(await w.store.bots.find({ appId: w.appId, uid: uidOf('bot') })).toEqual(made)
    const off = await w.bot('off', { enabled: false })
    expect(off).not.toHaveProperty('enabled')
    expect(off).not.toHaveProperty('username')
  })

  test('a bot is a user, once', async () => {
    const w = await worldOf(subject)
    const { appId } = w
    await w.bot('bot')
    const input = {
      appId,
      callbackUrl: 'http://x',
      groupChatSetting: 'none' as const,
      enabled: true,
      useBasicAuth: false,
      username: null,
      password: null,
      secret: 'whsec_x',
      settings: {},
      now: 1,
      nowMs: 1,
    }
    await expectCode(w.store.bots.create({ ...input, uid: uidOf('bot') }), 'ERR_BOT_ALREADY_EXISTS')
    await expectCode(w.store.bots.create({ ...input, uid: uidOf('nobody') }), 'ERR_UID_NOT_FOUND')
    await expectCode(w.store.bots.find({ appId, uid: uidOf('nobody') }), 'ERR_BOT_NOT_FOUND')
    await w.user('plain')
    await expectCode(w.store.bots.find({ appId, uid: uidOf('plain') }), 'ERR_BOT_NOT_FOUND')
    const tries = [w.store, subject().peer, w.store, subject().peer].map((s) =>
      s.bots.create({ ...input, uid: uidOf('plain') }),
    )
    expect((await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await w.store.bots.remove({ appId, uid: uidOf('plain'), nowMs: 1 })
  })

  test('no more bots than the limit', async () => {
    const w = await worldOf(subject)
    for (let n = 0; n < defaultLimits.botsPerApp; n++) await w.bot(`b${n}`)
    await expectCode(w.bot('one-more'), 'ERR_PLAN_QUOTA_RESTRICTION')
  })

  test('an update changes what it names, and the next attempt knows', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    await w.bot('bot', { username: 'u', password: 'p' })
    w.clock.advance(1000)
    const uid = uidOf('bot')
    const change = (more: object) => w.store.bots.update({ appId: w.appId, uid, now: w.now(), ...more })
    const update = async (more: object) => (await change(more)).bot
    expect(await update({ callbackUrl: 'http://new', useBasicAuth: true })).toMatchObject({
      webhookURL: 'http://new',
      groupChatSetting: 'allMessages',
      enabled: true,
      username: 'u',
      updatedAt: w.now(),
    })
    const sent = await w.send({ from: 'ann', to: 'bot', claimer: w.claimer() })
    expect(callbackOf(sent.claims[0])).toMatchObject({
      url: 'http://new',
      credentials: { username: 'u', password: 'p' },
    })
    expect(await update({ username: null, password: null, groupChatSetting: 'none' })).not.toHaveProperty('username')
    await expectCode(w.store.bots.update({ appId: w.appId, uid: uidOf('ann'), now: 1 }), 'ERR_BOT_NOT_FOUND')
  })

  test('settings beyond the contract are merged, and taken away by null', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    const retryPolicy = { delaysSeconds: [1, 2], giveUpAfterSeconds: 60 }
    const made = await w.bot('bot', { settings: { timeoutSeconds: 3, retryPolicy, maxConcurrency: null } })
    expect(made).toMatchObject({ timeoutSeconds: 3, retryPolicy })
    expect(made).not.toHaveProperty('maxConcurrency')
    const uid = uidOf('bot')
    const update = (settings: object) => w.store.bots.update({ appId: w.appId, uid, now: w.now(), settings })
    const { bot } = await update({ timeoutSeconds: null, poisonPolicy: 'park' })
    expect(bot).toMatchObject({ retryPolicy, poisonPolicy: 'park' })
    expect(bot).not.toHaveProperty('timeoutSeconds')
    const sent = await w.send({ from: 'ann', to: 'bot', claimer: w.claimer() })
    expect(callbackOf(sent.claims[0]).settings).toEqual({ retryPolicy, poisonPolicy: 'park' })
    expect(await w.store.bots.callback({ appId: w.appId, uid })).toMatchObject({ settings: { retryPolicy } })
    await update({ retryPolicy: null, poisonPolicy: null })
    expect((await w.store.bots.callback({ appId: w.appId, uid })).settings).toEqual({})
  })

  test('another URL, or being enabled again, is another receiver', async () => {
    const w = await worldOf(subject)
    await w.bot('bot')
    const change = async (more: object) =>
      (await w.store.bots.update({ appId: w.appId, uid: uidOf('bot'), now: 1, ...more })).isNewReceiver
    expect(await change({ callbackUrl: 'http://127.0.0.1:1/bot' })).toBe(false)
    expect(await change({ callbackUrl: 'http://127.0.0.1:2' })).toBe(true)
    expect(await change({ enabled: true })).toBe(false)
    expect(await change({ enabled: false })).toBe(false)
    expect(await change({ enabled: true })).toBe(true)
  })

  test('lists are by the beginning of the uid, in pages', async () => {
    const w = await worldOf(subject)
    for (const uid of ['a_1', 'ax1', 'b']) await w.bot(uid)
    const list = (more: object) => w.store.bots.list({ appId: w.appId, isAIBot: false, page, ...more })
    const uids = async (more: object) => (await list(more)).rows.map((bot) => bot.uid)
    expect(await uids({})).toEqual(['a_1', 'ax1', 'b'])
    expect(await uids({ searchKey: 'A_' })).toEqual(['a_1'])
    expect(await uids({ isAIBot: true })).toEqual([])
    expect(await list({ page: { page: 2, perPage: 2 } })).toMatchObject({ total: 3, rows: [{ uid: 'b' }] })
    expect(JSON.stringify(await list({}))).not.toContain('whsec_')
  })

  test('what a removed bot was owed is cancelled; a bot made anew goes on with the sequence', async () => {
    const w = await worldOf(subject)
    const { appId, store } = w
    const uid = uidOf('bot')
    await w.user('ann')
    await w.bot('bot')
    await w.send({ from: 'ann', to: 'bot' })
    await w.send({ from: 'ann', to: 'bot' })
    await store.bots.remove({ appId, uid, nowMs: w.clock.now() })
    await expectCode(store.bots.remove({ appId, uid, nowMs: 1 }), 'ERR_BOT_NOT_FOUND')
    expect(await store.lanes.backlog({})).toEqual({ pending: 0, oldestMs: undefined })
    const claim = () => store.lanes.claimDue({ claimer: w.claimer(), limit: 10, nowMs: w.clock.now() })
    expect((await claim()).claims).toEqual([])
    expect((await w.send({ from: 'ann', to: 'bot' })).waiting).toBe(0)
    await store.users.remove({ appId, uid, system: uidOf('app_system'), nowMs: 1 })
    await w.bot('bot')
    expect((await claim()).claims).toEqual([])
    const sent = await w.send({ from: 'ann', to: 'bot', claimer: w.claimer() })
    expect(sent.claims[0]?.head.sequence).toBe(3)
  })
}
