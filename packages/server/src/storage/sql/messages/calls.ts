/**
 * Calls as rows, beside the messages that tell of them: the row says how the call stands, and nobody reads the messages for
 * that. Whoever changes a call holds its row; whoever comes into one holds what they are busy with (`holdBusy`), so that
 * nobody is in two.
 */
import {
  type AppId,
  type CallStatus,
  type CallType,
  type ConversationId,
  type ErrorCode,
  type Guid,
  groupConversationId,
  type ReceiverType,
  type Uid,
  userConversationId,
} from '@confab/protocol'
import type { Telling, Told } from '../../../callbacks/tell.ts'
import {
  BUSY_ONGOING_SECONDS,
  BUSY_RINGING_SECONDS,
  type CallSituation,
  type CallStep,
  stepOf,
  triggersOfCall,
} from '../../../calls/call.ts'
import type { Actor, UserActor } from '../../../kernel/actor.ts'
import { AppError } from '../../../kernel/app-error.ts'
import { toSeconds } from '../../../kernel/clock.ts'
import { messageJson, type StoredMessage } from '../../../messages/message.ts'
import { mayCall, mayCallInScope } from '../../../roles/permission.policy.ts'
import { tellWebhooks } from '../delivery/announce.ts'
import { findGroupRow, type Membership, membershipOf, requireGroup } from '../groups/group-rows.ts'
import { areFriends, assertPermitted, rightsOf, scopePermissionsOf } from '../roles/role-rows.ts'
import type { Schema } from '../schema.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { assertNotBlocked } from '../users/relation-rows.ts'
import { findActive, requireActor, requireParticipant, requireUser, touch, type UserRow } from '../users/user-rows.ts'
import { groupEntityJson, userEntityJson, writeMessage } from './message-rows.ts'

type CallRow = Schema['calls']
type Key = { app: string; session: string }

const COLUMNS =
  'app_id, session_id, type, initiator, receiver_type, receiver, conversation_id, status, data, initiated_at, started_at, ended_at'

const insertCall = statement<
  Key & {
    type: string
    initiator: string
    receiverType: string
    receiver: string
    conversation: string
    data: string
    now: number
  }
>(
  'calls.insert',
  `INSERT INTO calls (app_id, session_id, type, initiator, receiver_type, receiver, conversation_id, status, data, initiated_at)
   VALUES (:app, :session, :type, :initiator, :receiverType, :receiver, :conversation, 'initiated', :data, :now)`,
)
const findCall = statement<Key, CallRow>(
  'calls.find',
  `SELECT ${COLUMNS} FROM calls WHERE app_id = :app AND session_id = :session`,
)
const lockCall = statement<Key, CallRow>(
  'calls.lock',
  `SELECT ${COLUMNS} FROM calls WHERE app_id = :app AND session_id = :session {FOR_UPDATE}`,
)
const setStatus = statement<Key & { status: string; startedAt: number | null; endedAt: number | null }>(
  'calls.set_status',
  `UPDATE calls SET status = :status, started_at = :startedAt, ended_at = :endedAt
   WHERE app_id = :app AND session_id = :session`,
)
const enterCall = statement<Key & { uid: string; now: number }>(
  'call_participants.enter',
  `INSERT INTO call_participants (app_id, session_id, uid, joined_at) VALUES (:app, :session, :uid, :now)
   ON CONFLICT (app_id, session_id, uid) DO UPDATE SET joined_at = excluded.joined_at, left_at = NULL`,
)
const leaveCall = statement<Key & { uid: string; now: number }>(
  'call_participants.leave',
  `UPDATE call_participants SET left_at = :now
   WHERE app_id = :app AND session_id = :session AND uid = :uid AND left_at IS NULL`,
)
const emptyCall = statement<Key & { now: number }>(
  'call_participants.leave_all',
  'UPDATE call_participants SET left_at = :now WHERE app_id = :app AND session_id = :session AND left_at IS NULL',
)
const findParticipant = statement<Key & { uid: string }, { joined_at: number; left_at: number | null }>(
  'call_participants.find',
  `SELECT joined_at, left_at FROM call_participants WHERE app_id = :app AND session_id = :session AND uid = :uid`,
)
const countOthers = statement<Key & { uid: string }, { n: number }>(
  'call_participants.count_others',
  `SELECT count(*) AS n FROM call_participants
   WHERE app_id = :app AND session_id = :session AND uid <> :uid AND left_at IS NULL`,
)
const FRESH = `((calls.status = 'initiated' AND calls.initiated_at > :ringing)
     OR (calls.status = 'ongoing' AND calls.started_at > :ongoing))`
type Fresh = { app: string; ringing: number; ongoing: number }
const callOfUser = statement<Fresh & { uid: string; session: string }, { session_id: string }>(
  'calls.busy_user',
  `SELECT calls.session_id FROM call_participants
   JOIN calls ON calls.app_id = call_participants.app_id AND calls.session_id = call_participants.session_id
   WHERE call_participants.app_id = :app AND call_participants.uid = :uid AND call_participants.left_at IS NULL
     AND calls.session_id <> :session AND ${FRESH} LIMIT 1`,
)
const callOfConversation = statement<Fresh & { conversation: string }, { session_id: string }>(
  'calls.busy_conversation',
  `SELECT session_id FROM calls
   WHERE app_id = :app AND conversation_id = :conversation AND ended_at IS NULL AND ${FRESH} LIMIT 1`,
)
/** Of two who call each other, or join twice, the second waits here. SQLite has one writer. */
const lockBusy = statement<{ key: string }, { locked: null }>(
  'calls.lock_busy',
  'SELECT pg_advisory_xact_lock(hashtextextended(:key, 0)) AS locked',
)

const holdBusy = async (tx: Tx, app: AppId, who: readonly string[]): Promise<void> => {
  if (tx.dialect === 'sqlite') return
  for (const one of [...new Set(who)].sort()) await tx.first(lockBusy, { key: JSON.stringify(['call', app, one]) })
}

const freshSince = (app: AppId, now: number): Fresh => ({
  app,
  ringing: now - BUSY_RINGING_SECONDS,
  ongoing: now - BUSY_ONGOING_SECONDS,
})

/** The other call that somebody is in. */
const otherCallOf = async (
  tx: Tx,
  { app, uid, session, now }: Key & { app: AppId; uid: Uid; now: number },
): Promise<string | undefined> => (await tx.first(callOfUser, { ...freshSince(app, now), uid, session }))?.session_id

export interface CallMoved {
  readonly message: StoredMessage
  readonly told: Told
}

/** The call as it is shown; `data` is as it was when it was initiated. */
const callJson = (row: CallRow, joinedAt: number | undefined, status: string = row.status): string =>
  `{"sessionid":${JSON.stringify(row.session_id)},"status":"${status}","type":"${row.type}"` +
  `,"sender":"${row.initiator}","receiverType":"${row.receiver_type}","receiver":"${row.receiver}"` +
  `,"conversationId":"${row.conversation_id}","initiatedAt":${row.initiated_at}` +
  `${row.started_at === null ? '' : `,"startedAt":${row.started_at}`}` +
  `${row.ended_at === null ? '' : `,"endedAt":${row.ended_at}`}` +
  `${joinedAt === undefined ? '' : `,"joinedAt":${joinedAt}`},"data":${row.data}}`

interface Change {
  readonly call: CallRow
  readonly before: CallStatus | undefined
  readonly step: CallStep
  readonly by: UserRow
  readonly joinedAt: number | undefined
}

const OF_ONE_MEMBER: ReadonlySet<CallStep['action']> = new Set(['rejected', 'busy', 'left'])

/** Writes the message that tells of it: from who acts, to the other, or to the group. */
const tell = async (
  tx: Tx,
  input: { actor: UserActor; appCreatedAt: number; telling: Telling },
  { call, before, step, by, joinedAt }: Change,
): Promise<CallMoved> => {
  const { actor, appCreatedAt, telling } = input
  const app = actor.appId
  const isGroup = call.receiver_type === 'group'
  const receiver = isGroup || call.initiator === by.uid ? call.receiver : call.initiator
  const forJson = isGroup
    ? await findGroupRow(tx, app, receiver as Guid).then((row) => row && groupEntityJson(row))
    : await findActive(tx, app, receiver as Uid).then(
        (row) => row && userEntityJson(row, appCreatedAt, call.conversation_id),
      )
  // Clients go by the status: what a member of a group does for themself is theirs, whatever becomes of the call.
  const shown = isGroup && OF_ONE_MEMBER.has(step.action) ? step.action : call.status
  const message = await writeMessage(tx, {
    app,
    conversationId: call.conversation_id,
    sender: by.uid,
    receiverType: call.receiver_type,
    receiver,
    category: 'call',
    type: call.type,
    data:
      `{"action":"${step.action}","entities":{"by":${userEntityJson(by, appCreatedAt)}` +
      `,"on":{"entity":${callJson(call, joinedAt, shown)},"entityType":"call"}` +
      `${forJson === undefined ? '' : `,"for":${forJson}`}}}`,
    text: null,
    tags: null,
    muid: null,
    parentId: null,
    now: toSeconds(telling.nowMs),
  })
  const data = (): string => `{"call":${messageJson(message)},"sessionId":${JSON.stringify(call.session_id)}}`
  const told = await tellWebhooks(tx, telling, {
    app,
    key: call.conversation_id,
    messageId: Number(message.id),
    what: triggersOfCall(before, step).map((trigger) => ({ trigger, data })),
  })
  return { message, told }
}

export interface NewCall {
  readonly actor: UserActor
  readonly appCreatedAt: number
  readonly sessionId: string
  readonly type: CallType
  readonly receiverType: ReceiverType
  readonly receiver: string
  /** JSON object, or nothing. */
  readonly metadata: string | null
  readonly telling: Telling
}

interface Called {
  readonly conversationId: ConversationId
  readonly json: string
}

const calledUser = async (tx: Tx, input: NewCall, by: UserRow, now: number): Promise<Called> => {
  const { actor, appCreatedAt } = input
  const app = actor.appId
  const uid = input.receiver as Uid
  if (uid === by.uid) throw new AppError('ERR_CALLING_SELF', { details: { receiver: uid } })
  const conversationId = userConversationId(by.uid, uid)
  const { row } = await requireParticipant(tx, app, uid, 'receiver')
  await assertNotBlocked(tx, app, by.uid, uid)
  const isFriend = await areFriends(tx, app, by.uid, uid)
  assertPermitted(mayCall(await rightsOf(tx, app, by), { role: row.role, isFriend }))
  await holdBusy(tx, app, [by.uid, uid])
  if ((await otherCallOf(tx, { app, uid, session: '', now })) !== undefined) {
    throw new AppError('ERR_CALL_BUSY_USER', { details: { receiver: uid } })
  }
  return { conversationId, json: userEntityJson(row, appCreatedAt, conversationId) }
}

const calledGroup = async (tx: Tx, input: NewCall, by: UserRow, now: number): Promise<Called> => {
  const app = input.actor.appId
  const guid = input.receiver as Guid
  const conversationId = groupConversationId(guid)
  const group = await requireGroup(tx, app, guid)
  const membership = await membershipOf(tx, app, guid, by.uid)
  if (membership === undefined) throw new AppError('ERR_GROUP_NOT_JOINED', { details: { receiver: guid } })
  assertPermitted(mayCall(await rightsOf(tx, app, by), undefined))
  assertPermitted(mayCallInScope(scopePermissionsOf(group, membership.scope), input.type))
  await holdBusy(tx, app, [by.uid, conversationId])
  const open = await tx.first(callOfConversation, { ...freshSince(app, now), conversation: conversationId })
  if (open !== undefined) {
    throw new AppError('ERR_CALL_BUSY_GROUP', { details: { receiver: guid, sessionId: open.session_id } })
  }
  return { conversationId, json: groupEntityJson(group, membership) }
}

const assertFree = async (tx: Tx, input: Parameters<typeof otherCallOf>[1]): Promise<void> => {
  const sessionId = await otherCallOf(tx, input)
  if (sessionId !== undefined) throw new AppError('ERR_CALL_BUSY_SELF', { details: { sessionId } })
}

const initiate = async (tx: Tx, input: NewCall): Promise<CallMoved> => {
  const { actor, appCreatedAt, sessionId: session, type, receiverType, receiver, metadata, telling } = input
  const app = actor.appId
  const now = toSeconds(telling.nowMs)
  const found = await requireParticipant(tx, app, actor.uid, 'onBehalfOf')
  const by = await touch(tx, app, found.row, now)
  const to = await (receiverType === 'group' ? calledGroup : calledUser)(tx, input, by, now)
  await assertFree(tx, { app, uid: by.uid, session, now })
  const data =
    `{"entities":{"sender":${userEntityJson(by, appCreatedAt)},"receiver":${to.json}}` +
    `${metadata === null ? '' : `,"metadata":${metadata}`}}`
  const conversation = to.conversationId
  await tx.run(insertCall, {
    ...{ app, session, type, receiverType, receiver, conversation, data, now },
    initiator: by.uid,
  })
  await tx.run(enterCall, { app, session, uid: by.uid, now })
  const step: CallStep = { action: 'initiated', status: 'initiated', presence: 'in' }
  const call = await requireCall(tx, { app, session })
  return tell(tx, input, { call, before: undefined, step, by, joinedAt: now })
}

const requireCall = async (tx: Tx, key: Key, { lock = false } = {}): Promise<CallRow> => {
  const row = await tx.first(lock ? lockCall : findCall, key)
  if (row === undefined) throw new AppError('ERR_CALL_SESSION_NOT_FOUND', { details: { sessionId: key.session } })
  return row
}

/** Those two, or the members of the group. */
const assertPartOf = async (tx: Tx, actor: UserActor, call: CallRow): Promise<Membership | undefined> => {
  const { appId: app, uid } = actor
  const membership =
    call.receiver_type === 'group' ? await membershipOf(tx, app, call.receiver as Guid, uid) : undefined
  const isPart =
    membership !== undefined || (call.receiver_type === 'user' && [call.initiator, call.receiver].includes(uid))
  if (!isPart) throw new AppError('ERR_CALL_NOT_A_PART', { details: { sessionId: call.session_id } })
  return membership
}

/** Whoever takes a call could have called, and is whom the one who called may call. */
const assertMayTake = async (
  tx: Tx,
  { app, call, by, membership }: { app: AppId; call: CallRow; by: UserRow; membership: Membership | undefined },
): Promise<void> => {
  if (membership === undefined) return assertNotBlocked(tx, app, by.uid, call.initiator)
  if (by.uid === call.initiator) return
  const group = await requireGroup(tx, app, call.receiver as Guid)
  const caller = await membershipOf(tx, app, group.guid, call.initiator)
  if (caller === undefined) return
  const permissions = scopePermissionsOf(group, caller.scope)
  const isFriend = permissions.initiateCall !== 'friends' || (await areFriends(tx, app, call.initiator, by.uid))
  assertPermitted(mayCallInScope(permissions, call.type, { scope: membership.scope, isFriend }))
}

const situationOf = async (
  tx: Tx,
  app: AppId,
  call: CallRow,
  uid: Uid,
): Promise<CallSituation & { joinedAt?: number }> => {
  const key = { app, session: call.session_id, uid }
  const own = await tx.first(findParticipant, key)
  return {
    status: call.status,
    isGroup: call.receiver_type === 'group',
    isInitiator: call.initiator === uid,
    presence: own === undefined ? 'never' : own.left_at === null ? 'in' : 'left',
    others: (await tx.first(countOthers, key))?.n ?? 0,
    ...(own !== undefined && { joinedAt: own.joined_at }),
  }
}

const change = async (
  tx: Tx,
  input: { actor: UserActor; appCreatedAt: number; sessionId: string; status: CallStatus; telling: Telling },
): Promise<CallMoved> => {
  const { actor, sessionId: session, telling } = input
  const { appId: app, uid } = actor
  const now = toSeconds(telling.nowMs)
  const by = await requireUser(tx, app, uid, 'onBehalfOf')
  const key = { app, session }
  const before = await requireCall(tx, key, { lock: true })
  const membership = await assertPartOf(tx, actor, before)
  const situation = await situationOf(tx, app, before, uid)
  const step: CallStep | ErrorCode = stepOf(situation, input.status)
  if (typeof step === 'string') throw new AppError(step, { details: { status: `the call is ${before.status}` } })
  if (step.presence === 'in') {
    await assertMayTake(tx, { app, call: before, by, membership })
    await holdBusy(tx, app, [uid])
    await assertFree(tx, { app, uid, session, now })
    await tx.run(enterCall, { ...key, uid, now })
  } else if (step.presence === 'out') {
    await tx.run(leaveCall, { ...key, uid, now })
  }
  const isEnd = step.status !== 'initiated' && step.status !== 'ongoing'
  if (isEnd) await tx.run(emptyCall, { ...key, now })
  const startedAt = before.started_at ?? (step.status === 'ongoing' ? now : null)
  await tx.run(setStatus, { ...key, status: step.status, startedAt, endedAt: isEnd ? now : null })
  const joinedAt = step.presence === 'in' ? now : situation.joinedAt
  return tell(tx, input, { call: await requireCall(tx, key), before: before.status, step, by, joinedAt })
}

export const calls = {
  initiate: write(initiate),
  change: write(change),

  /** As JSON, as it is now; a user sees those that they are part of. */
  find: read(async (tx, { actor, sessionId }: { actor: Actor; sessionId: string }): Promise<string> => {
    await requireActor(tx, actor)
    const call = await requireCall(tx, { app: actor.appId, session: sessionId })
    if (actor.kind === 'app') return callJson(call, undefined)
    await assertPartOf(tx, actor, call)
    return callJson(call, (await situationOf(tx, actor.appId, call, actor.uid)).joinedAt)
  }),
}
