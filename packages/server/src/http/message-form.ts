/** A message that comes as a form, with its files: made into the body of an ordinary one. */
import type { IncomingMessage } from 'node:http'
import type { Attachment, ErrorCode, Limits } from '@confab/protocol'
import { fileNameOf, messageTypeOf, mimeTypeOf } from '../files/file.ts'
import type { Incoming, KeepFiles } from '../files/keep-files.ts'
import type { Receiver } from '../files/receive.ts'
import type { Actor } from '../kernel/actor.ts'
import { AppError } from '../kernel/app-error.ts'
import { type FormFields, readForm } from './form.ts'
import { parseJsonText } from './json-body.ts'

type JsonObject = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const last = (fields: FormFields, name: string): string | undefined => fields.get(name)?.at(-1)

const jsonField = (fields: FormFields, name: string, code: ErrorCode): unknown => {
  const text = last(fields, name)
  if (text === undefined || text.trim() === '') return undefined
  try {
    return parseJsonText(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new AppError(code, { details: { [name]: 'must be valid JSON' } })
  }
}

/** `tags[]` or `tags`, again and again, or one list as JSON. */
const tagsOf = (fields: FormFields): unknown => {
  const texts = [...(fields.get('tags[]') ?? []), ...(fields.get('tags') ?? [])]
  if (texts.length === 0) return undefined
  return texts.length === 1 && texts[0]?.trim().startsWith('[') ? jsonField(fields, 'tags', 'ERR_BAD_REQUEST') : texts
}

/** What the sender names by url beside what they send; SDKs leave empty ones there. */
const withUrl = (given: unknown): unknown[] =>
  Array.isArray(given) ? given.filter((one) => !isObject(one) || one.url !== '') : []

const dataOf = (fields: FormFields, attachments: readonly Attachment[]): unknown => {
  const data = jsonField(fields, 'data', 'ERR_INVALID_MESSAGE_DATA') ?? {}
  if (!isObject(data)) return data
  const caption = last(fields, 'caption')
  const metadata = jsonField(fields, 'metadata', 'ERR_INVALID_METADATA')
  return {
    ...data,
    ...(data.text === undefined && caption && { text: caption }),
    ...(data.metadata === undefined && metadata !== undefined && { metadata }),
    ...(attachments.length > 0 && { attachments: [...attachments, ...withUrl(data.attachments)] }),
  }
}

const PLAIN = ['receiver', 'receiverType', 'category', 'type', 'muid', 'parentMessageId', 'quotedMessageId'] as const

const bodyOf = (fields: FormFields, attachments: readonly Attachment[]): JsonObject => {
  const plain = PLAIN.flatMap((name) => {
    const text = last(fields, name)
    return text === undefined ? [] : [[name, text] as const]
  })
  const [first] = attachments
  const tags = tagsOf(fields)
  const multipleReceivers = jsonField(fields, 'multipleReceivers', 'ERR_BAD_REQUEST')
  return {
    ...(first !== undefined && { type: messageTypeOf(first.mimeType) }),
    ...Object.fromEntries(plain),
    ...(tags !== undefined && { tags }),
    ...(multipleReceivers !== undefined && { multipleReceivers }),
    data: dataOf(fields, attachments),
  }
}

export interface MessageFormDeps {
  readonly receiver: Receiver
  readonly keep: KeepFiles
  readonly maxFileBytes: number
  readonly maxUploadBytes: number
  readonly limits: Pick<Limits, 'attachmentsPerMessage' | 'bodyBytes'>
}

/** Calls `send` with the body while its files are stored; of a message that is refused nothing stays. */
export const makeMessageForm = ({ receiver, keep, maxFileBytes, maxUploadBytes, limits }: MessageFormDeps) => {
  const receive = async (incoming: IncomingMessage, files: Incoming[]): Promise<FormFields> =>
    readForm(incoming, {
      maxBytes: maxUploadBytes,
      maxFiles: limits.attachmentsPerMessage,
      maxFieldBytes: limits.bodyBytes,
      onFile: async ({ field, name: givenName, mimeType, chunks }) => {
        const name = fileNameOf(givenName)
        const index = files.length
        // Its place among the files is that in the form, whichever is written first.
        files.length += 1
        const received = await receiver.receive(chunks, { field, bytes: maxFileBytes })
        files[index] = { name, mimeType: mimeTypeOf(mimeType, name), received }
        if (received.size === 0) throw new AppError('ERR_EMPTY_MESSAGE_FILE', { details: { [field]: 'is empty' } })
      },
    })

  return async <T>(
    incoming: IncomingMessage,
    { actor, origin }: { actor: Actor; origin: string },
    send: (body: unknown) => Promise<T>,
  ): Promise<T> => {
    const files: Incoming[] = []
    try {
      const fields = await receive(incoming, files)
      return await keep.during({ actor, origin, incoming: files }, (attachments) => send(bodyOf(fields, attachments)))
    } finally {
      // Of a form that failed some never came.
      for (const file of Object.values(files)) await file.received.discard()
    }
  }
}

export type MessageForm = ReturnType<typeof makeMessageForm>
