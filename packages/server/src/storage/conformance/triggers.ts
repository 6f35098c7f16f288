import type { OptionalTrigger } from '@confab/protocol'
import { expect, test } from 'vitest'
import type { Told } from '../../callbacks/tell.ts'
import {
  callbackOf,
  changesOf,
  guidOf,
  type MembersByUid,
  type Sent,
  tellingIn,
  uidOf,
  type World,
} from '../../testing/builders.ts'
import { type Subject, worldOf } from './subject.ts'

const hears = (...triggers: OptionalTrigger[]) => ({ settings: { triggers } })
const g = guidOf('g')

const setUp = async (subject: Subject) => {
  const w = await worldOf(subject)
  await w.users('ann', 'ben', 'cat')
  await w.bot('all', hears('message_edited', 'message_deleted', 'group_member_added', 'group_member_kicked'))
  await w.bot('named', { groupChatSetting: 'mentionedMessages', ...hears('message_edited', 'message_deleted') })
  await w.bot('plain')
  await w.bot('off', { enabled: false, ...hears('message_edited', 'message_deleted', 'group_member_added') })
  const members: MembersByUid = { ann: 'participant', all: 'participant', named: 'participant' }
  await w.group('g', { owner: 'ann', members: { ...members, plain: 'participant', off: 'participant' } })
  const actors = (by: string | undefined) => (by === undefined ? w.app : w.as(by))
  const change = (by?: string) => ({
    actor: actors(by),
    appCreatedAt: w.appCreatedAt,
    telling: tellingIn(w, { claimer: w.claimer() }),
  })
  return {
    w,
    say: async (sent: Sent) => (await w.send(sent)).message.id,
    edit: async (id: Awaited<ReturnType<World['send']>>['message']['id'], text: string, by?: string) =>
      (await w.store.messages.edit({ ...change(by), id, data: { text }, tags: undefined })).told,
    remove: async (id: Awaited<ReturnType<World['send']>>['message']['id'], by?: string) =>
      (await w.store.messages.remove({ ...change(by), id, permanent: false })).told,
    add: async (who: MembersByUid, by?: string) =>
      (await w.store.members.add({ ...change(by), guid: g, changes: changesOf(who) })).told,
    kick: async (uid: string, by?: string) =>
      (await w.store.members.kick({ ...change(by), guid: g, uid: uidOf(uid) })).told,
  }
}

const bodies = ({ claims }: Told) =>
  claims.map((claim) => ({
    bot: callbackOf(claim).bot,
    trigger: claim.head.trigger,
    conversation: claim.head.conversationId,
    body: JSON.parse(claim.head.body),
  }))

/** Lanes that were claimed for what was said before are given back. */
const quiet = async (w: World) => {
  await w.store.lanes.seizeAll({ nowMs: w.clock.now() })
  const { claims } = await w.store.lanes.claimDue({ claimer: w.claimer(), limit: 100, nowMs: w.clock.now() })
  for (const { head, leaseId } of claims) {
    await w.store.deliveries.cancel({ appId: w.appId, id: head.id, nowMs: w.clock.now() })
    await w.store.lanes.reread({ laneId: head.laneId, leaseId })
  }
}

export const triggersConformance = (subject: Subject): void => {
  test('who asked for it hears of edits and deletions, in the lane of the conversation', async () => {
    const { w, say, edit } = await setUp(subject)
    const id = await say({ from: 'ann', to: 'all', text: 'one' })
    await quiet(w)
    const [edited, ...others] = bodies(await edit(id, 'two', 'ann'))
    expect(others).toEqual([])
    expect(edited).toMatchObject({ bot: 'all', trigger: 'message_edited', conversation: 'all_user_ann' })
    expect(Object.keys(edited?.body)).toEqual(['trigger', 'data', 'appId', 'origin', 'chatAPIVersion', 'region', 'bot'])
    const { message } = edited?.body.data ?? {}
    expect(message).toMatchObject({ category: 'action', type: 'message', sender: 'ann' })
    expect(message.data).toMatchObject({
      action: 'edited',
      entities: { on: { entity: { id, data: { text: 'two' } } } },
    })
    await quiet(w)
    const [found] = (
      await w.store.deliveries.list({ appId: w.appId, filter: { bot: uidOf('all') }, range: {}, limit: 1, scan: 10 })
    ).rows
    expect(found).toMatchObject({ trigger: 'message_edited', sequence: 2, messageId: message.id })
  })

  test('in a group, those whose business the message is, by its old or its new text', async () => {
    const { w, say, edit, remove } = await setUp(subject)
    const id = await say({ from: 'ann', toGroup: 'g', text: 'for nobody' })
    await quiet(w)
    expect(bodies(await edit(id, 'for <@uid:named>')).map(({ bot }) => bot)).toEqual(['all', 'named'])
    await quiet(w)
    expect(bodies(await edit(id, 'for nobody again')).map(({ bot }) => bot)).toEqual(['all', 'named'])
    await quiet(w)
    const deleted = bodies(await remove(id))
    expect(deleted.map(({ bot, trigger }) => [bot, trigger])).toEqual([['all', 'message_deleted']])
    expect(deleted[0]?.body.data.message.data).toMatchObject({ action: 'deleted' })
  })

  test('not of what it does itself, and of what other bots do only if it asks for that', async () => {
    const { w, say, edit } = await setUp(subject)
    const own = await say({ from: 'all', toGroup: 'g', text: 'x' })
    expect(bodies(await edit(own, 'y', 'all'))).toEqual([])
    const others = await say({ from: 'plain', toGroup: 'g', text: 'x' })
    expect(bodies(await edit(others, 'y', 'plain'))).toEqual([])
    const settings = { triggers: ['message_edited' as const], relayBotMessages: true }
    await w.store.bots.update({ appId: w.appId, uid: uidOf('all'), now: 1, settings })
    await quiet(w)
    expect((await edit(others, 'z', 'plain')).claims.map(({ head }) => head.hop)).toEqual([1])
  })

  test('of members that come and go, in one callback per change, also of itself', async () => {
    const { w, add, kick } = await setUp(subject)
    const [added, ...rest] = bodies(await add({ ben: 'participant', cat: 'admin', ann: 'participant' }, 'ann'))
    expect(rest).toEqual([])
    expect(added).toMatchObject({ bot: 'all', trigger: 'group_member_added', conversation: 'group_g' })
    const { data } = added?.body ?? {}
    expect(Object.keys(data)).toEqual(['group', 'members', 'by'])
    expect(data).toMatchObject({ group: { guid: 'g', membersCount: 7 }, by: { uid: 'ann' } })
    expect(Object.keys(data.members)).toEqual(['ben', 'cat'])
    await quiet(w)
    const kicked = bodies(await kick('ben'))
    expect(kicked).toMatchObject([
      { bot: 'all', trigger: 'group_member_kicked', body: { data: { by: { uid: 'app_system' } } } },
    ])
    expect(Object.keys(kicked[0]?.body.data.members)).toEqual(['ben'])
    await quiet(w)
    expect(bodies(await kick('all')).map(({ bot }) => bot)).toEqual(['all'])
    await quiet(w)
    expect(bodies(await add({ all: 'participant' })).map(({ bot }) => bot)).toEqual(['all'])
    await quiet(w)
    // A ban is nobody's coming.
    expect(bodies(await add({ cat: 'banned' }))).toEqual([])
  })
}
