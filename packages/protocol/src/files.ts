/** Files of messages, and their upload ahead of the message. */
import { type Static, Type } from 'typebox'
import { limits } from './limits.ts'

/** What a message says of a file. */
export const Attachment = Type.Object({
  url: Type.String(),
  name: Type.String(),
  mimeType: Type.String(),
  extension: Type.String({ description: 'In lower case, without the dot; empty if the name has none.' }),
  size: Type.Integer({ description: 'Bytes.' }),
})
export type Attachment = Static<typeof Attachment>

/** `receiver` and `receiverType` come along and are not looked at: the message decides. */
export const AnnounceUploads = Type.Object({
  files: Type.Record(
    Type.String(),
    Type.Object({
      name: Type.String({ minLength: 1, maxLength: 1000 }),
      size: Type.Integer({ minimum: 0, description: 'Bytes.' }),
      mimeType: Type.Optional(Type.String({ maxLength: limits.mimeTypeLength })),
    }),
    { description: 'By ids of the client.' },
  ),
})
export type AnnounceUploads = Static<typeof AnnounceUploads>

/** The form to upload it with and the attachment that it will be; or why not. */
export const AnnouncedUpload = Type.Union([
  Type.Object({
    request: Type.Object({
      url: Type.String(),
      method: Type.String(),
      body: Type.Record(Type.String(), Type.String(), {
        description: 'Fields of the form; the field `file` comes after them.',
      }),
    }),
    attachment: Attachment,
    expiresAt: Type.Integer({ description: 'Until then the form can be used, once; unix seconds.' }),
  }),
  Type.Object({
    error: Type.Object({
      code: Type.String(),
      message: Type.String(),
      details: Type.Optional(Type.Record(Type.String(), Type.String())),
    }),
  }),
])
export type AnnouncedUpload = Static<typeof AnnouncedUpload>
