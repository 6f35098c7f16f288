/** Messages that users have reported: once per user, the last word counts. */
import type { Flag, FlagReason, MessageId } from '@confab/protocol'
import type { Actor, UserActor } from '../../../kernel/actor.ts'
import { userEntity } from '../../../users/user.ts'
import { read, statement, write } from '../seam.ts'
import { findActive, toUser } from '../users/user-rows.ts'
import { openLiving, requireMessage } from './message-access.ts'

const putFlag = statement<{
  app: string
  message: number
  uid: string
  reason: string
  remark: string | null
  now: number
}>(
  'flags.put',
  `INSERT INTO message_flags (app_id, message_id, uid, reason, remark, flagged_at)
   VALUES (:app, :message, :uid, :reason, :remark, :now)
   ON CONFLICT (message_id, uid) DO UPDATE SET
     reason = excluded.reason, remark = excluded.remark, flagged_at = excluded.flagged_at`,
)

export const flags = {
  put: write(
    async (
      tx,
      input: { actor: UserActor; id: MessageId; reason: FlagReason; remark: string | null; now: number },
    ): Promise<void> => {
      const { actor, id, reason, remark, now } = input
      await openLiving(tx, actor, id)
      await tx.run(putFlag, { app: actor.appId, message: Number(id), uid: actor.uid, reason, remark, now })
    },
  ),

  /** Oldest first. For the app: users do not see what others report. */
  list: read(
    async (tx, { actor, id }: { actor: Extract<Actor, { kind: 'app' }>; id: MessageId }): Promise<readonly Flag[]> => {
      const { appId: app } = actor
      await requireMessage(tx, app, id)
      const query = tx.build.selectFrom('message_flags').selectAll().where('message_id', '=', Number(id))
      const rows = await tx.query(query.orderBy('flagged_at').orderBy('uid').compile())
      const found: Flag[] = []
      for (const row of rows) {
        const user = await findActive(tx, app, row.uid)
        found.push({
          messageId: id,
          uid: row.uid,
          reason: row.reason,
          ...(row.remark !== null && { remark: row.remark }),
          flaggedAt: row.flagged_at,
          ...(user !== undefined && { flaggedBy: userEntity(toUser(user)) }),
        })
      }
      return found
    },
  ),
}
