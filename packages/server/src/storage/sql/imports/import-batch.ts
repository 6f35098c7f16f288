/** What the rows of one batch share: whom they have found already, and how far conversations are read after them. */
import type { AppId, ConversationId, ErrorCode, Guid, Uid } from '@confab/protocol'
import { AppError, type ErrorDetails } from '../../../kernel/app-error.ts'
import { lockMarks } from '../conversations/marks.ts'
import type { GroupRow } from '../groups/group-rows.ts'
import { findGroupRow } from '../groups/group-rows.ts'
import { statement, type Tx } from '../seam.ts'
import { findUserRow, type UserRow } from '../users/user-rows.ts'

export type Outcome =
  | {
      readonly ok: true
      readonly id: string
      /** It was there already, and nothing was changed. */
      readonly existed: boolean
      /** The row as it is now, if that was asked for. */
      readonly json: string | null
    }
  | { readonly ok: false; readonly code: ErrorCode; readonly details: ErrorDetails | null }

export const failed = (code: ErrorCode, details: ErrorDetails | null = null): Outcome => ({ ok: false, code, details })

/** Marks only move forward. */
const FORWARD = `ON CONFLICT (app_id, conversation_id, uid) DO UPDATE SET
    read_id = CASE WHEN excluded.read_id > user_conversations.read_id
      THEN excluded.read_id ELSE user_conversations.read_id END,
    delivered_id = CASE WHEN excluded.delivered_id > user_conversations.delivered_id
      THEN excluded.delivered_id ELSE user_conversations.delivered_id END`
type Marks = { read: number; delivered: number }
const moveMarks = statement<{ app: string; conversation: string; uid: string } & Marks>(
  'imports.move_marks',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id)
   VALUES (:app, :conversation, :uid, :read, :delivered) ${FORWARD}`,
)
const moveMarksOfMembers = statement<{ app: string; conversation: string; guid: string } & Marks>(
  'imports.move_marks_of_members',
  `INSERT INTO user_conversations (app_id, conversation_id, uid, read_id, delivered_id)
     SELECT app_id, CAST(:conversation AS TEXT), uid, CAST(:read AS BIGINT), CAST(:delivered AS BIGINT)
     FROM members WHERE app_id = :app AND guid = :guid ${FORWARD}`,
)

type Whose = { readonly uid: Uid } | { readonly guid: Guid }

export class Batch {
  readonly tx: Tx
  readonly app: AppId
  readonly appCreatedAt: number
  /** Whether outcomes hold the rows as they are now. */
  readonly withRows: boolean
  readonly #users = new Map<string, UserRow>()
  readonly #groups = new Map<string, GroupRow>()
  readonly #marks = new Map<string, { conversation: ConversationId; whose: Whose } & Marks>()

  constructor(tx: Tx, of: { appId: AppId; appCreatedAt: number; withRows: boolean }) {
    this.tx = tx
    this.app = of.appId
    this.appCreatedAt = of.appCreatedAt
    this.withRows = of.withRows
  }

  /** Also who is deactivated: what they have said is to be kept. */
  async user(uid: Uid): Promise<UserRow | undefined> {
    const known = this.#users.get(uid) ?? (await findUserRow(this.tx, this.app, uid))
    if (known !== undefined) this.#users.set(uid, known)
    return known
  }

  async requireUser(uid: Uid, field: string): Promise<UserRow> {
    const row = await this.user(uid)
    if (row === undefined) throw new AppError('ERR_UID_NOT_FOUND', { details: { [field]: uid } })
    return row
  }

  async group(guid: Guid): Promise<GroupRow | undefined> {
    const known = this.#groups.get(guid) ?? (await findGroupRow(this.tx, this.app, guid))
    if (known !== undefined) this.#groups.set(guid, known)
    return known
  }

  async requireGroup(guid: Guid, field: string): Promise<GroupRow> {
    const row = await this.group(guid)
    if (row === undefined) throw new AppError('ERR_GUID_NOT_FOUND', { details: { [field]: guid } })
    return row
  }

  groupChanged(guid: Guid): void {
    this.#groups.delete(guid)
  }

  /** Written once for all messages of the batch. */
  mark(conversation: ConversationId, whose: Whose, { read, delivered }: Marks): void {
    const key = 'uid' in whose ? `${conversation} ${whose.uid}` : conversation
    const known = this.#marks.get(key) ?? { conversation, whose, read: 0, delivered: 0 }
    this.#marks.set(key, {
      ...known,
      read: Math.max(known.read, read),
      delivered: Math.max(known.delivered, delivered),
    })
  }

  async writeMarks(): Promise<void> {
    const { tx, app } = this
    for (const { conversation, whose, read, delivered } of this.#marks.values()) {
      const marks = { app, conversation, read, delivered }
      if ('guid' in whose) {
        await tx.run(moveMarksOfMembers, { ...marks, guid: whose.guid })
        continue
      }
      if (tx.dialect === 'postgres') {
        await tx.first(lockMarks, { key: JSON.stringify([app, conversation, whose.uid]) })
      }
      await tx.run(moveMarks, { ...marks, uid: whose.uid })
    }
  }
}
