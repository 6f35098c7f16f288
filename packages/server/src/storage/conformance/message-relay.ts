import type { GroupChatSetting } from '@confab/protocol'
import { expect, test } from 'vitest'
import { messageJson } from '../../messages/message.ts'
import { callbackOf, type SentIn, tellingIn, uidOf } from '../../testing/builders.ts'
import { type Subject, worldOf } from './subject.ts'

/** Which bots a message was given to: those whose idle lanes it claimed. */
const heardBy = ({ claims }: SentIn): string[] => claims.map((claim) => callbackOf(claim).bot).sort()

export const messageRelayConformance = (subject: Subject): void => {
  test('a bot hears what is sent to it, whatever it hears of groups, in the bytes that others read', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    await w.bot('bot', { groupChatSetting: 'none', useBasicAuth: true, username: 'u', password: 'p' })
    const sent = await w.send({ from: 'ann', to: 'bot', text: 'hé', tags: ['t'], claimer: w.claimer() })
    expect(sent.waiting).toBe(0)
    const [claim] = sent.claims
    expect(callbackOf(claim)).toMatchObject({
      appId: w.appId,
      bot: 'bot',
      url: 'http://127.0.0.1:1/bot',
      enabled: true,
      credentials: { username: 'u', password: 'p' },
      groupChatSetting: 'none',
      secrets: [expect.stringMatching(/^whsec_/)],
    })
    expect(claim?.head).toMatchObject({
      conversationId: sent.message.conversationId,
      sequence: 1,
      trigger: 'after_message',
      attempts: 0,
      createdAtMs: w.clock.now(),
    })
    expect(claim?.head.body).toBe(
      `{"trigger":"after_message","data":${messageJson(sent.message, { withTags: true })},"appId":"${w.appId}",` +
        `"origin":{"platform":"API"},"chatAPIVersion":"3.0","region":"test","bot":"bot"}`,
    )
  })

  test('in a group each bot hears what it asked for', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    const settings: GroupChatSetting[] = ['none', 'allMessages', 'slashedMessages', 'mentionedMessages']
    for (const setting of settings) await w.bot(setting.toLowerCase(), { groupChatSetting: setting })
    await w.bot('disabled', { enabled: false })
    await w.bot('outside')
    const members = Object.fromEntries(
      ['ann', ...settings.map((s) => s.toLowerCase()), 'disabled'].map((uid) => [uid, 'participant' as const]),
    )
    await w.group('g', { members })
    const heard = async (text: string) =>
      heardBy(await w.send({ from: 'ann', toGroup: 'g', text, claimer: w.claimer() }))
    expect(await heard('hello')).toEqual(['allmessages'])
  })

  test('commands and mentions reach those who asked for them; each bot has a delivery of its own', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    await w.bot('all')
    await w.bot('slash', { groupChatSetting: 'slashedMessages' })
    await w.bot('mention', { groupChatSetting: 'mentionedMessages' })
    const members = { ann: 'participant', all: 'participant', slash: 'participant', mention: 'participant' } as const
    await w.group('g', { members })
    await w.group('h', { members })
    const slashed = await w.send({ from: 'ann', toGroup: 'g', text: '\n /go <@uid:MENTION>', claimer: w.claimer() })
    expect(heardBy(slashed)).toEqual(['all', 'mention', 'slash'])
    expect(new Set(slashed.claims.map(({ head }) => head.id)).size).toBe(3)
    expect(new Set(slashed.claims.map(({ leaseId }) => leaseId)).size).toBe(3)
    for (const claim of slashed.claims) expect(JSON.parse(claim.head.body).bot).toBe(callbackOf(claim).bot)
    expect(heardBy(await w.send({ from: 'ann', toGroup: 'h', text: 'no', claimer: w.claimer() }))).toEqual(['all'])
  })

  test('a bot hears neither itself, nor bots, nor what is told by actions', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    await w.bot('one')
    await w.bot('two')
    await w.group('g', { members: { ann: 'participant', one: 'participant', two: 'participant' } })
    expect(heardBy(await w.send({ from: 'one', toGroup: 'g', claimer: w.claimer() }))).toEqual([])
    expect(heardBy(await w.send({ from: 'one', to: 'two', claimer: w.claimer() }))).toEqual([])
    expect(heardBy(await w.send({ from: 'one', to: 'one', claimer: w.claimer() }))).toEqual([])
    const input = { actor: w.app, appCreatedAt: w.appCreatedAt, guid: 'g' as never, telling: tellingIn(w) }
    await w.store.members.kick({ ...input, uid: 'ann' as never })
    expect(await w.store.lanes.backlog({})).toEqual({ pending: 0, oldestMs: undefined })
    expect(heardBy(await w.send({ toGroup: 'g', claimer: w.claimer() }))).toEqual(['one', 'two'])
  })

  test('a bot whose user is deactivated hears nothing of its groups, nor later; what it was owed stays', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    await w.bot('bot', { settings: { triggers: ['message_edited'] } })
    await w.group('g', { members: { ann: 'participant', bot: 'participant' } })
    expect((await w.send({ from: 'ann', toGroup: 'g' })).waiting).toBe(1)
    const owed = async () => (await w.store.lanes.backlog({})).pending
    const setDeactivated = (at: number | null) =>
      w.store.users.setDeactivated({ appId: w.appId, uids: [uidOf('bot')], at })
    await setDeactivated(w.now())
    const { message, waiting } = await w.send({ from: 'ann', toGroup: 'g' })
    expect(waiting).toBe(0)
    const edit = { actor: w.app, appCreatedAt: w.appCreatedAt, id: message.id, tags: undefined }
    await w.store.messages.edit({ ...edit, data: { text: 'new' }, telling: tellingIn(w) })
    expect(await owed()).toBe(1)
    await setDeactivated(null)
    expect(await owed()).toBe(1)
    await w.send({ from: 'ann', toGroup: 'g' })
    expect(await owed()).toBe(2)
  })

  test('custom messages and replies are heard too; a disabled bot hears nothing', async () => {
    const w = await worldOf(subject)
    await w.user('ann')
    await w.bot('bot')
    await w.bot('off', { enabled: false })
    const first = await w.send({ from: 'ann', to: 'bot', category: 'custom', type: 'x', data: { customData: {} } })
    expect(first.waiting).toBe(1)
    expect((await w.send({ from: 'ann', to: 'bot', parent: first.message.id })).waiting).toBe(1)
    expect((await w.send({ from: 'ann', to: 'off' })).waiting).toBe(0)
    expect((await w.store.lanes.backlog({})).pending).toBe(2)
  })
}
