/**
 * The tables, as both engines have them; the migrations in the engines' folders are their truth. JSON is text:
 * what is stored is what was sent, byte for byte. Columns in seconds follow the contract; `_ms` are milliseconds.
 */
import type {
  AppId,
  CallStatus,
  CallType,
  ConversationId,
  DeliveryId,
  DeliveryState,
  GroupChatSetting,
  GroupType,
  Guid,
  KeyScope,
  LeaseId,
  ReceiverType,
  Scope,
  Uid,
  WebhookTrigger,
} from '@confab/protocol'
import type { Generated } from 'kysely'

/** 0 or 1: the engines share no boolean. */
export type Bit = 0 | 1

export interface Schema {
  calls: {
    app_id: AppId
    session_id: string
    type: CallType
    initiator: Uid
    receiver_type: ReceiverType
    receiver: string
    conversation_id: ConversationId
    status: CallStatus
    data: string
    initiated_at: number
    started_at: number | null
    ended_at: number | null
  }
  call_participants: { app_id: AppId; session_id: string; uid: Uid; joined_at: number; left_at: number | null }
  apps: { id: AppId; name: string; created_at: number }
  api_keys: { key: string; app_id: AppId; name: string; scope: KeyScope; created_at: number }
  users: {
    app_id: AppId
    uid: Uid
    name: string
    avatar: string | null
    link: string | null
    role: string
    status_message: string | null
    metadata: string | null
    tags: string | null
    last_active_at: number
    created_at: number
    updated_at: number | null
    deactivated_at: number | null
    online: Generated<Bit>
  }
  nodes: { id: string; until_ms: number }
  presences: { app_id: AppId; uid: Uid; node_id: string }
  roles: {
    app_id: AppId
    role: string
    name: string
    description: string | null
    /** JSON, as the three below. */
    metadata: string | null
    settings: string | null
    restricted_features: string | null
    permissions: string | null
    created_at: number
    updated_at: number | null
  }
  friends: { app_id: AppId; uid: Uid; friend_uid: Uid; created_at: number }
  blocked_users: { app_id: AppId; uid: Uid; blocked_uid: Uid; blocked_at: number }
  auth_tokens: {
    token: string
    app_id: AppId
    uid: Uid
    platform: string | null
    user_agent: string | null
    app_info: string | null
    created_at: number
  }
  groups: {
    app_id: AppId
    guid: Guid
    name: string
    type: GroupType
    password_hash: string | null
    icon: string | null
    description: string | null
    metadata: string | null
    tags: string | null
    owner: string
    members_count: number
    created_at: number
    updated_at: number | null
    updated_by: string | null
    /** JSON: scope → permissions. */
    scope_permissions: string | null
  }
  members: { app_id: AppId; guid: Guid; uid: Uid; scope: Scope; joined_at: number }
  banned_users: { app_id: AppId; guid: Guid; uid: Uid; banned_at: number }
  conversations: {
    app_id: AppId
    id: ConversationId
    type: ReceiverType
    /** Who talks one to one; null for groups. */
    user_a: Uid | null
    user_b: Uid | null
    created_at: number
    updated_at: number
    /** Pinned for everybody. */
    pinned_at: number | null
  }
  /** How a conversation stands for one of its users. */
  user_conversations: {
    app_id: AppId
    conversation_id: ConversationId
    uid: Uid
    read_id: number
    delivered_id: number
    /** What is at or before it was deleted for this user. */
    hidden_id: number
    tags: string | null
    pinned_at: number | null
  }
  receipts: {
    app_id: AppId
    conversation_id: ConversationId
    uid: Uid
    kind: 'delivered' | 'read'
    up_to_id: number
    at: number
  }
  messages: {
    id: Generated<number>
    app_id: AppId
    conversation_id: ConversationId
    sender: Uid
    receiver_type: ReceiverType
    receiver: string
    category: string
    type: string
    data: string
    text: string | null
    tags: string | null
    muid: string | null
    parent_id: number | null
    sent_at: number
    updated_at: number
    edited_at: number | null
    edited_by: string | null
    deleted_at: number | null
    deleted_by: string | null
    /** JSON: how often each was given. */
    reactions: string | null
    quoted_id: number | null
    pinned_at: number | null
    pinned_by: string | null
    reply_count: Generated<number>
    last_reply_id: number | null
  }
  reactions: {
    id: Generated<number>
    app_id: AppId
    message_id: number
    reaction: string
    uid: Uid
    reacted_at: number
  }
  interactions: { message_id: number; uid: Uid; element_id: string; interacted_at: number; completes: Bit }
  saved_messages: { app_id: AppId; uid: Uid; message_id: number; saved_at: number }
  thread_followers: { app_id: AppId; uid: Uid; root_id: number; participated: Bit; subscribed: Bit }
  message_flags: {
    message_id: number
    uid: Uid
    app_id: AppId
    reason: string
    remark: string | null
    flagged_at: number
  }
  files: {
    id: string
    app_id: AppId
    uid: Uid
    name: string
    mime_type: string
    size: number
    created_at: number
    /** Null while a message has the file. */
    expires_at: number | null
    /** Of a file that is still to come. */
    upload_token: string | null
  }
  message_files: { message_id: number; file_id: string }
  audit_log: {
    id: Generated<number>
    app_id: AppId
    at: number
    actor: string
    action: string
    target: string | null
    request_id: string | null
  }
  bots: {
    app_id: AppId
    uid: Uid
    callback_url: string
    group_chat_setting: GroupChatSetting
    enabled: Bit
    use_basic_auth: Bit
    username: string | null
    password: string | null
    is_ai_bot: Bit
    /** Bots and webhooks are called in one way; the key of a webhook is `webhookKey` of its id. */
    kind: Generated<'bot' | 'webhook'>
    /** Of a webhook, as the two below. */
    name: string | null
    /** JSON: a list. */
    triggers: string | null
    retry_on_failure: Generated<Bit>
    /** Sealed, as the password: see `kernel/vault.ts`. */
    signing_secret: string
    previous_secret: string | null
    previous_secret_expires_at: number | null
    /** JSON of what is set beyond the contract. */
    settings: string | null
    breaker_until_ms: number | null
    breaker_opened_at_ms: number | null
    breaker_failed_probes: number
    created_at: number
    updated_at: number | null
  }
  master_keys: { id: string; check_value: string; created_at: number }
  consumers: { app_id: AppId; bot_uid: Uid; consumer: string; until_ms: number; last_offset: number }
  lanes: {
    id: Generated<number>
    app_id: AppId
    bot_uid: Uid
    conversation_id: ConversationId
    next_sequence: number
    pending: number
    due_at_ms: number | null
    lease_id: LeaseId | null
    lease_node: string | null
    hop: number
    entered_at_ms: number
  }
  deliveries: {
    id: DeliveryId
    app_id: AppId
    bot_uid: Uid
    lane_id: number
    sequence: number
    message_id: number
    trigger: WebhookTrigger
    body: string
    state: DeliveryState
    attempts: number
    created_at_ms: number
    finished_at_ms: number | null
    replayed_at_ms: number | null
    void_lease_id: LeaseId | null
    hop: number
    reason: string | null
    pulled_by: string | null
    pull_offset: number | null
    due_at_ms: number | null
  }
  attempts: {
    id: Generated<number>
    delivery_id: DeliveryId
    number: number
    started_at_ms: number
    outcome: string
    status: number | null
    error: string | null
    address: string | null
    phases: string
    response: string | null
  }
}
