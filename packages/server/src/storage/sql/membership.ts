/** The conversations that a user takes part in, as conditions of lists. */

import type { AppId, ConversationId, Uid } from '@confab/protocol'
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import type { UserActor } from '../../kernel/actor.ts'
import type { Schema } from './schema.ts'

type Where = ExpressionBuilder<Schema, 'messages'>

export const oneToOneOf = (eb: Where, app: AppId, uid: Uid) => {
  const conversations = eb
    .selectFrom('conversations')
    .select('conversations.id')
    .where('conversations.app_id', '=', app)
  return conversations
    .where('conversations.user_a', '=', uid)
    .unionAll(conversations.where('conversations.user_b', '=', uid))
}

const groupsOf = (eb: Where, app: AppId, uid: Uid) =>
  eb
    .selectFrom('members')
    .select(sql<ConversationId>`'group_' || members.guid`.as('id'))
    .where('members.app_id', '=', app)
    .where('members.uid', '=', uid)

export const conversationsOf = (eb: Where, { appId, uid }: UserActor): Expression<SqlBool> =>
  eb('conversation_id', 'in', oneToOneOf(eb, appId, uid).unionAll(groupsOf(eb, appId, uid)))
