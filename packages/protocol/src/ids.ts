/**
 * Branded identifiers. A value of one kind does not compile where another is due; each is parsed once, at the edge.
 * Uids, guids and app ids are chosen by customers and folded to lower case; message ids are decimal strings that
 * grow with time; ids that we make carry a prefix and sort by time.
 */
declare const brand: unique symbol
type Branded<Kind extends string> = string & { readonly [brand]: Kind }

export type AppId = Branded<'AppId'>
export type Uid = Branded<'Uid'>
export type Guid = Branded<'Guid'>
export type ConversationId = Branded<'ConversationId'>
/** Decimal, without leading zeros. */
export type MessageId = Branded<'MessageId'>
/** `dlv_…`: the duty to bring one trigger to one callback; stable over retries and replays (`webhook-id`). */
export type DeliveryId = `dlv_${string}` & Branded<'DeliveryId'>
/** `lse_…`: one claim of a lane; the fence that every completion must present. */
export type LeaseId = `lse_${string}` & Branded<'LeaseId'>
/** `req_…`: one HTTP request, as in the log and in error answers. */
export type RequestId = `req_${string}` & Branded<'RequestId'>

/** The user in whose name the app itself acts when no `onBehalfOf` is given. */
export const SYSTEM_UID = 'app_system' as Uid

export const parseUid = (text: string): Uid => text.toLowerCase() as Uid
export const parseGuid = (text: string): Guid => text.toLowerCase() as Guid
export const parseAppId = (text: string): AppId => text.toLowerCase() as AppId

/** A message id that cannot exist is `undefined`: callers answer as for an unknown message. */
export const parseMessageId = (text: string): MessageId | undefined =>
  /^[1-9][0-9]{0,14}$/.test(text) ? (text as MessageId) : undefined

export const groupConversationId = (guid: Guid): ConversationId => `group_${guid}` as ConversationId

/** One to one: the two uids in ascending order of their code units, whoever writes. */
export const userConversationId = (one: Uid, other: Uid): ConversationId =>
  (one < other ? `${one}_user_${other}` : `${other}_user_${one}`) as ConversationId
