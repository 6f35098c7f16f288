/** What a sender says, checked and brought into the shape in which it is stored. Each rule has its documented code. */
import {
  type ErrorCode,
  interactionGoals,
  type Limits,
  mediaTypes,
  type SaidCategory,
  type SendMessage,
  saidCategories,
  type Uid,
} from '@confab/protocol'
import { mentionedUids } from '../callbacks/relay.ts'
import { fileIdIn } from '../files/file.ts'
import { AppError, badRequest } from '../kernel/app-error.ts'

export interface Draft {
  readonly category: SaidCategory
  readonly type: string
  /** JSON object without its closing brace: the store adds resource, mentions and entities. Never empty. */
  readonly dataHead: string
  /** Text or caption: what is searched, and what group settings of bots look at. */
  readonly text: string | null
  readonly mentions: readonly Uid[]
  /** Ids in the attachments' urls that look like those of files of this server, if there are any. */
  readonly files?: readonly string[]
}

/** What of the limits a message has to keep to. */
export type MessageLimits = Pick<Limits, 'attachmentsPerMessage' | 'messageDataBytes' | 'mentionsPerMessage'>

type JsonObject = Record<string, unknown>

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What only the server says of a message. Senders' own are dropped: clients send whole messages back to be edited. */
const SERVER_OWNED = [
  ...['entities', 'mentions', 'reactions', 'interactions', 'moderation', 'resource', 'action', 'extras'],
] as const

const fail = (code: ErrorCode, field: string, problem: string): never => {
  throw new AppError(code, { details: { [field]: problem } })
}

const isSaid = (category: string): category is SaidCategory => saidCategories.some((known) => known === category)

const categoryOf = (body: SendMessage): SaidCategory => {
  const { category = 'message' } = body
  if (category === '') return fail('ERR_EMPTY_MESSAGE_CATEGORY', 'category', 'must not be empty')
  if (isSaid(category)) return category
  return fail('ERR_INVALID_MESSAGE_CATEGORY', 'category', `must be one of ${saidCategories.join(', ')}`)
}

const typeOf = (category: SaidCategory, body: SendMessage): string => {
  const { type = category === 'message' ? 'text' : '' } = body
  if (type.trim() === '') return fail('ERR_EMPTY_MESSAGE_TYPE', 'type', 'must not be empty')
  if (category === 'message' && type !== 'text' && !mediaTypes.some((known) => known === type)) {
    return fail('ERR_INVALID_MESSAGE_TYPE', 'type', `must be text, ${mediaTypes.join(', ')}`)
  }
  return type
}

const textOf = (data: JsonObject): string | null => {
  if (data.text === undefined || data.text === null) return null
  return typeof data.text === 'string' ? data.text : fail('ERR_INVALID_MESSAGE_TEXT', 'data.text', 'must be a string')
}

const checkText = (data: JsonObject): void => {
  if ((textOf(data) ?? '').trim() === '') fail('ERR_EMPTY_MESSAGE_TEXT', 'data.text', 'must not be empty')
}

const checkAttachments = (data: JsonObject, most: number): void => {
  const { attachments } = data
  if (attachments === undefined || (Array.isArray(attachments) && attachments.length === 0)) {
    fail('ERR_EMPTY_MESSAGE_FILE', 'data.attachments', 'must hold at least one attachment')
  }
  const isAttachment = (item: unknown): boolean =>
    isObject(item) && typeof item.url === 'string' && /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/.test(item.url)
  if (!Array.isArray(attachments) || attachments.length > most || !attachments.every(isAttachment)) {
    fail('ERR_INVALID_MEDIA_MESSAGE', 'data.attachments', `must be a list of at most ${most} objects, each with a url`)
  }
}

/** Prose of the contract spells the key with an underscore. */
const withOneSpelling = (data: JsonObject): JsonObject => {
  if (!Object.hasOwn(data, 'custom_data')) return data
  const { custom_data: underscored, ...rest } = data
  return { ...rest, customData: rest.customData ?? underscored }
}

const withCustomData = (data: JsonObject): JsonObject => {
  const { customData, ...rest } = withOneSpelling(data)
  if (customData === undefined || customData === null) fail('ERR_EMPTY_CUSTOM_DATA', 'data.customData', 'is required')
  if (!isObject(customData)) fail('ERR_INVALID_CUSTOM_DATA', 'data.customData', 'must be an object')
  return { ...rest, customData }
}

/** Clients show what the url names: whatever is no url gives way to that of the first attachment. */
const withFirstUrl = (data: JsonObject): JsonObject => {
  const [first] = data.attachments as { url: string }[]
  const isUrl = typeof data.url === 'string' && data.url !== ''
  return isUrl || first === undefined ? data : { ...data, url: first.url }
}

/** Forms, cards and whatever else clients know how to draw: only what the server reads is checked. */
const checkInteractive = ({ interactiveData, interactionGoal, allowSenderInteraction }: JsonObject): void => {
  if (!isObject(interactiveData)) fail('ERR_INVALID_MESSAGE_DATA', 'data.interactiveData', 'must be an object')
  if (allowSenderInteraction !== undefined && typeof allowSenderInteraction !== 'boolean') {
    fail('ERR_INVALID_MESSAGE_DATA', 'data.allowSenderInteraction', 'must be true or false')
  }
  if (interactionGoal === undefined) return
  if (!isObject(interactionGoal) || !interactionGoals.some((type) => type === interactionGoal.type)) {
    fail('ERR_INVALID_MESSAGE_DATA', 'data.interactionGoal', `must have a type: ${interactionGoals.join(', ')}`)
  }
  const { elementIds = [] } = interactionGoal as { elementIds?: unknown }
  if (!Array.isArray(elementIds) || !elementIds.every((id) => typeof id === 'string')) {
    fail('ERR_INVALID_MESSAGE_DATA', 'data.interactionGoal.elementIds', 'must be a list of strings')
  }
}

const checkCard = ({ card }: JsonObject): void => {
  if (!isObject(card)) fail('ERR_INVALID_MESSAGE_DATA', 'data.card', 'must be an object')
}

const shapeOf = (category: SaidCategory, type: string, data: JsonObject, limits: MessageLimits): JsonObject => {
  if (category === 'custom') return withCustomData(data)
  if (category === 'interactive') {
    checkInteractive(data)
    return data
  }
  // What an AI says of its work, in whatever form its clients know.
  if (category === 'agentic') return data
  if (category === 'card') {
    checkCard(data)
    return data
  }
  if (type === 'text') {
    checkText(data)
    return data
  }
  checkAttachments(data, limits.attachmentsPerMessage)
  return withFirstUrl(data)
}

/** Wherever the server is reached: its own url may have changed since. */
const fileIdsOf = (attachment: unknown): string[] => {
  const url = isObject(attachment) && typeof attachment.url === 'string' ? attachment.url : ''
  const id = fileIdIn(url)
  return id === undefined ? [] : [id]
}

/** No character takes more than three bytes for each of its units: most texts need not be measured. */
const isLonger = (text: string, bytes: number): boolean => text.length * 3 > bytes && Buffer.byteLength(text) > bytes

const draftOf = (category: SaidCategory, type: string, given: JsonObject, limits: MessageLimits): Draft => {
  const data = { ...given }
  for (const key of SERVER_OWNED) if (Object.hasOwn(data, key)) delete data[key]
  for (const key of ['metadata', 'text'] as const) if (data[key] === null) delete data[key]
  if (data.metadata !== undefined && !isObject(data.metadata)) {
    fail('ERR_INVALID_METADATA', 'data.metadata', 'must be an object')
  }
  const text = textOf(data)
  const shape = shapeOf(category, type, data, limits)
  const json = JSON.stringify(shape)
  if (isLonger(json, limits.messageDataBytes)) {
    fail('ERR_INVALID_MESSAGE_DATA', 'data', `must not be larger than ${limits.messageDataBytes} bytes as JSON`)
  }
  const mentions = text === null ? [] : mentionedUids(text)
  if (mentions.length > limits.mentionsPerMessage) {
    throw badRequest({ 'data.text': `must not mention more than ${limits.mentionsPerMessage} users` })
  }
  const files = Array.isArray(shape.attachments) ? shape.attachments.flatMap(fileIdsOf) : []
  return { category, type, dataHead: json.slice(0, -1), text, mentions, ...(files.length > 0 && { files }) }
}

export const draftMessage = (body: SendMessage, limits: MessageLimits): Draft => {
  const category = categoryOf(body)
  const type = typeOf(category, body)
  if (!isObject(body.data)) return fail('ERR_INVALID_MESSAGE_DATA', 'data', 'must be an object')
  return draftOf(category, type, body.data, limits)
}

/** Of a message of which nothing is left but that it was there. */
export const draftOfDeleted = (body: SendMessage): Draft => {
  const category = categoryOf(body)
  return { category, type: typeOf(category, body), dataHead: '{"text":""', text: null, mentions: [] }
}

const isMedia = (category: SaidCategory, type: string): boolean => category === 'message' && type !== 'text'

/** Of an edit of media. The url that the server took from the first attachment goes with it: its file may go. */
const urlFollows = (stored: JsonObject, change: JsonObject): boolean => {
  if (!Object.hasOwn(change, 'attachments') || Object.hasOwn(change, 'url')) return false
  const [first] = stored.attachments as { url: string }[]
  return first !== undefined && stored.url === first.url
}

/** Limits are asked where something is added: what stays as it was may be more than is allowed by now. */
const limitsOfEdit = (change: JsonObject, limits: MessageLimits): MessageLimits => {
  const changes = (key: string): boolean => Object.hasOwn(change, key)
  return {
    attachmentsPerMessage: changes('attachments') ? limits.attachmentsPerMessage : Number.POSITIVE_INFINITY,
    mentionsPerMessage: changes('text') ? limits.mentionsPerMessage : Number.POSITIVE_INFINITY,
    messageDataBytes: Object.keys(change).length > 0 ? limits.messageDataBytes : Number.POSITIVE_INFINITY,
  }
}

/** An edit names what changes; what it does not name stays. `stored` is the data as stored. */
export const draftEdit = (
  message: { category: string; type: string; data: string },
  change: unknown,
  limits: MessageLimits,
): Draft => {
  if (!isObject(change)) return fail('ERR_INVALID_MESSAGE_DATA', 'data', 'must be an object')
  const { category } = message
  if (!isSaid(category)) throw new AppError('ERR_MESSAGE_ACTION_NOT_ALLOWED')
  const stored = JSON.parse(message.data) as JsonObject
  // Before the two come together: what is stored under the one spelling must not win over what is said under the other.
  const said = category === 'custom' ? withOneSpelling(change) : change
  const edited = { ...stored, ...said }
  if (isMedia(category, message.type) && urlFollows(stored, change)) delete edited.url
  return draftOf(category, message.type, edited, limitsOfEdit(change, limits))
}
