import { type WebhookTrigger, webhookKey } from '@confab/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { callbackOf, changesOf, guidOf, makeAttempt, tellingIn, uidOf, type World } from '../../testing/builders.ts'
import type { WebhookSettings } from '../sql/delivery/webhooks.ts'
import { expectCode, page, type Subject, worldOf } from './subject.ts'

const g = guidOf('g')

const webhooksIn = (w: World) => {
  const { store, appId } = w
  const of = (id: string) => ({ appId, key: webhookKey(id) })
  return {
    of,
    make: async (id: string, triggers: readonly WebhookTrigger[], more: Partial<WebhookSettings> = {}) => {
      const made = await store.webhooks.create({
        ...{ name: id, callbackUrl: `http://127.0.0.1:1/${id}`, enabled: true, retryOnFailure: false },
        ...{ useBasicAuth: false, username: null, password: null, settings: {} },
        ...more,
        ...of(id),
        secret: `secret of ${id}`,
        now: w.now(),
        nowMs: w.clock.now(),
      })
      onTestFinished(() => store.webhooks.remove({ ...of(id), nowMs: w.clock.now() }).catch(() => undefined))
      await store.webhooks.addTriggers({ ...of(id), triggers })
      return made
    },
    change: (by?: string) => ({
      actor: by === undefined ? w.app : w.as(by),
      appCreatedAt: w.appCreatedAt,
      telling: tellingIn(w),
    }),
    /** What is owed to it, oldest first. */
    owed: async (id: string) => {
      const found = await store.deliveries.list({
        appId,
        filter: { bot: webhookKey(id) },
        range: {},
        limit: 100,
        scan: 1000,
      })
      const all = await Promise.all(found.rows.map((row) => store.deliveries.get({ appId, id: row.id })))
      return all
        .map((one) => ({ ...one, json: JSON.parse(one.body) }))
        .toSorted((a, b) => a.conversationId.localeCompare(b.conversationId) || a.sequence - b.sequence)
    },
  }
}

export const webhooksConformance = (subject: Subject): void => {
  test('a webhook comes back as it was made, is changed, found by its name, and gone', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    const { store, appId } = w
    await h.make('Hook', [], { useBasicAuth: true, username: 'u', password: 'sealed', settings: { timeoutSeconds: 5 } })
    await w.bot('bot')
    const { webhook, triggers } = await store.webhooks.find(h.of('Hook'))
    expect(webhook).toMatchObject({
      id: 'Hook',
      enabled: true,
      retryOnFailure: false,
      timeoutSeconds: 5,
      username: 'u',
    })
    expect(JSON.stringify(webhook)).not.toMatch(/sealed|secret/)
    expect(triggers).toEqual([])
    await expectCode(h.make('Hook', []), 'ERR_WEBHOOK_ALREADY_EXISTS')
    expect((await store.webhooks.list({ appId, searchKey: 'OO', page })).rows.map(({ id }) => id)).toEqual(['Hook'])
    const changed = await store.webhooks.update({ ...h.of('Hook'), name: 'x', enabled: false, now: 9 })
    expect(changed).toMatchObject({ webhook: { name: 'x', enabled: false, updatedAt: 9 }, isNewReceiver: false })
    expect((await store.webhooks.update({ ...h.of('Hook'), enabled: true, now: 9 })).isNewReceiver).toBe(true)
    await store.webhooks.rotateSecret({ ...h.of('Hook'), secret: 'two', previousExpiresAt: 50, now: 9 })
    expect(await store.bots.callback({ appId, uid: webhookKey('Hook') })).toMatchObject({
      secrets: ['two'],
      previousSecret: { secret: 'secret of Hook', expiresAt: 50 },
      settings: { timeoutSeconds: 5, retryPolicy: { giveUpAfterSeconds: 0 }, poisonPolicy: 'skip' },
    })
    await store.webhooks.remove({ ...h.of('Hook'), nowMs: w.clock.now() })
    await expectCode(store.webhooks.find(h.of('Hook')), 'ERR_WEBHOOK_NOT_FOUND')
  })

  test('bots and webhooks are not taken for each other', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    const { store, appId } = w
    await w.bot('bot')
    await h.make('bot', ['message_sent'])
    expect((await store.bots.list({ appId, isAIBot: false, page })).rows.map(({ uid }) => uid)).toEqual(['bot'])
    const uid = webhookKey('bot')
    await expectCode(store.bots.find({ appId, uid }), 'ERR_BOT_NOT_FOUND')
    await expectCode(store.bots.remove({ appId, uid, nowMs: 1 }), 'ERR_BOT_NOT_FOUND')
    await store.bots.remove({ appId, uid: uidOf('bot'), nowMs: w.clock.now() })
    expect((await store.webhooks.find(h.of('bot'))).triggers).toEqual(['message_sent'])
  })

  test('an app has at most 25', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    for (let n = 0; n < 25; n++) await h.make(`w${n}`, [])
    await expectCode(h.make('one-more', []), 'ERR_PLAN_QUOTA_RESTRICTION')
  })

  test('triggers are added once, and removed all or none; who is asked before messages is told in order', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    const { store, appId } = w
    await h.make('b', ['before_message', 'message_sent'])
    await h.make('a', ['before_message'])
    await h.make('off', ['before_message'], { enabled: false })
    expect((await store.webhooks.asked({ appId })).map(({ bot }) => bot)).toEqual(['webhook:a', 'webhook:b'])
    await store.webhooks.addTriggers({ ...h.of('b'), triggers: ['message_sent', 'message_edited'] })
    const remove = (...triggers: string[]) => store.webhooks.removeTriggers({ ...h.of('b'), triggers })
    await expectCode(remove('message_sent', 'group_created'), 'ERR_TRIGGER_NOT_FOUND')
    await remove('before_message', 'message_edited')
    expect((await store.webhooks.find(h.of('b'))).triggers).toEqual(['message_sent'])
    expect((await store.webhooks.asked({ appId })).map(({ bot }) => bot)).toEqual(['webhook:a'])
  })

  test('messages are told in the envelopes of the contract, in the lane of their conversation, to all who listen', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    await w.users('ann', 'ben')
    await w.bot('bot')
    await h.make('new', ['message_sent', 'user_mentioned', 'message_edited', 'message_deleted'])
    await h.make('old', ['after_message'])
    await h.make('deaf', [])
    await h.make('off', ['message_sent'], { enabled: false })
    const sent = await w.send({ from: 'ann', to: 'bot', text: 'hi <@uid:ben>', claimer: w.claimer() })
    expect(sent.claims.map((claim) => callbackOf(claim).bot)).toEqual(['bot', 'webhook:new', 'webhook:old'])
    const { id } = sent.message
    await w.store.messages.edit({ ...h.change('ann'), id, data: { text: 'ho' }, tags: undefined })
    await w.store.messages.remove({ ...h.change('ann'), id, permanent: false })
    const owed = await h.owed('new')
    expect(owed.map(({ trigger, sequence }) => [trigger, sequence])).toEqual([
      ['message_sent', 1],
      ['user_mentioned', 2],
      ['message_edited', 3],
      ['message_deleted', 4],
    ])
    expect(new Set(owed.map((one) => one.conversationId))).toEqual(new Set(['ann_user_bot']))
    for (const { json, webhook, bot } of owed) {
      expect(Object.keys(json)).toEqual(['trigger', 'data', 'appId', 'region', 'webhook'])
      expect([webhook, bot, json.webhook]).toEqual(['new', undefined, 'new'])
    }
    expect(owed[0]?.json.data.message).toMatchObject({ id, data: { text: 'hi <@uid:ben>', mentions: { ben: {} } } })
    expect(owed[2]?.json.data.message).toMatchObject({ category: 'action', data: { action: 'edited' } })
    const [old] = await h.owed('old')
    expect(Object.keys(old?.json)).toEqual([
      ...['trigger', 'data', 'appId', 'origin', 'chatAPIVersion', 'region', 'webhook'],
    ])
    expect(old?.json.data.id).toBe(id)
    expect([...(await h.owed('deaf')), ...(await h.owed('off'))]).toEqual([])
  })

  test('what happens to groups and members is told, in order', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    const { store } = w
    await w.users('ann', 'ben', 'cat', 'dan')
    const all = ['created', 'updated', 'deleted', 'owner_transferred'].map((what) => `group_${what}` as WebhookTrigger)
    const member = ['added', 'kicked', 'banned', 'unbanned', 'scope_changed']
    await h.make('hook', [...all, ...member.map((what) => `group_member_${what}` as WebhookTrigger)])
    await w.group('g', { owner: 'ann', members: { ben: 'participant', cat: 'banned' } })
    const change = () => ({ ...h.change(), guid: g })
    await store.groups.update({ actor: w.app, guid: g, telling: tellingIn(w), name: 'New', owner: uidOf('ben') })
    await store.members.add({ ...change(), changes: changesOf({ cat: 'banned', dan: 'participant' }) })
    const of = (uid: string) => ({ ...change(), uid: uidOf(uid) })
    await store.members.changeScope({ ...of('dan'), scope: 'moderator' })
    await store.members.ban(of('dan'))
    await store.members.unban(of('dan'))
    await store.members.add({ ...change(), changes: changesOf({ dan: 'participant', ann: 'banned' }) })
    await store.members.kick(of('dan'))
    await store.groups.remove(change())
    const owed = await h.owed('hook')
    expect(owed.map(({ trigger, conversationId }) => [trigger.slice(6), conversationId])).toEqual(
      [
        ...['created', 'updated', 'owner_transferred', 'member_added', 'member_scope_changed', 'member_banned'],
        ...['member_unbanned', 'member_banned', 'member_added', 'member_kicked', 'deleted'],
      ].map((what) => [what, 'group_g']),
    )
    const data = Object.fromEntries(owed.toReversed().map(({ trigger, json }) => [trigger, json.data]))
    expect(data.group_created).toMatchObject({ group: { guid: 'g', membersCount: 2 }, members: { ann: {}, ben: {} } })
    expect(Object.keys(data.group_created.members)).toEqual(['ann', 'ben'])
    expect(data.group_updated).toMatchObject({ group: { name: 'New' } })
    expect(data.group_owner_transferred).toMatchObject({ group: { owner: 'ben', oldOwner: 'ann' } })
    expect(Object.keys(data.group_member_added)).toEqual(['group', 'members', 'by'])
    expect(data.group_member_scope_changed.members.dan).toMatchObject({ scope: 'moderator', oldScope: 'participant' })
    expect(data.group_member_kicked).toMatchObject({ by: { uid: 'app_system' }, members: { dan: { uid: 'dan' } } })
    expect(data.group_deleted).toMatchObject({ group: { guid: 'g' } })
    // No message tells of it.
    expect(owed[0]?.messageId).toBeUndefined()
    expect(Number(owed[3]?.messageId)).toBeGreaterThan(0)
  })

  test('its lanes are worked as those of bots; what was owed to one that is gone is cancelled', async () => {
    const w = await worldOf(subject)
    const h = webhooksIn(w)
    const { store, appId } = w
    await w.users('ann', 'ben')
    await h.make('hook', ['message_sent'])
    await w.send({ from: 'ann', to: 'ben', text: 'one' })
    await w.send({ from: 'ann', to: 'ben', text: 'two' })
    const due = { claimer: w.claimer(), limit: 100, nowMs: w.clock.now() }
    const claims = (await store.lanes.claimDue(due)).claims.filter((claim) => callbackOf(claim).appId === appId)
    expect(claims.map((claim) => [callbackOf(claim).bot, claim.head.sequence])).toEqual([['webhook:hook', 1]])
    const [claim] = claims
    if (claim === undefined) throw new Error('nothing was claimed')
    const { next } = await store.lanes.record({
      ...{ laneId: claim.head.laneId, leaseId: claim.leaseId, deliveryId: claim.head.id, nowMs: w.clock.now() },
      attempt: makeAttempt({ kind: 'retry', reason: 'http' }),
      disposition: { kind: 'dead' },
      keepUntilMs: w.clock.now() + 1000,
    })
    expect(next?.head.sequence).toBe(2)
    const bot = webhookKey('hook')
    const range = {}
    const again = { appId, bot, filter: { states: ['dead' as const] }, range, limit: 9, scan: 9, nowMs: w.clock.now() }
    expect(await store.deliveries.replaySome(again)).toMatchObject({ replayed: 1 })
    await store.webhooks.remove({ ...h.of('hook'), nowMs: w.clock.now() })
    expect((await h.owed('hook')).map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
    await expectCode(store.deliveries.replaySome(again), 'ERR_WEBHOOK_NOT_FOUND')
    await expectCode(store.lanes.resume({ appId, bot, limit: 1, nowMs: 1 }), 'ERR_WEBHOOK_NOT_FOUND')
  })
}
