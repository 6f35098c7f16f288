/** Messages that users report to those who run the app. */
import { type Static, Type } from 'typebox'
import { UnixSeconds, User } from './entities.ts'
import { upTo } from './limits.ts'

/** Why a message may be reported. Clients show the name. */
export const flagReasons = [
  { id: 'spam', name: 'Spam', description: 'Unwanted advertising, or the same again and again.' },
  { id: 'sexual', name: 'Sexual content', description: 'Sexual content that nobody asked for.' },
  { id: 'harassment', name: 'Harassment', description: 'Bullying, threats or insults.' },
  { id: 'hate', name: 'Hate', description: 'Hatred against people for what they are.' },
  { id: 'violence', name: 'Violence', description: 'Violence, or a call for it.' },
  { id: 'fraud', name: 'Fraud', description: 'An attempt to deceive or to rob.' },
  { id: 'other', name: 'Something else', description: 'Whatever the remark says.' },
] as const
export type FlagReason = (typeof flagReasons)[number]['id']

export const FlagMessage = Type.Object({
  id: Type.Enum(
    flagReasons.map(({ id }) => id),
    { description: 'The reason.' },
  ),
  remark: Type.Optional(Type.String({ ...upTo('maxLength', 'remarkLength') })),
})
export type FlagMessage = Static<typeof FlagMessage>

export const Flag = Type.Object(
  {
    messageId: Type.String(),
    uid: Type.String(),
    reason: Type.String(),
    remark: Type.Optional(Type.String()),
    flaggedAt: UnixSeconds,
    flaggedBy: Type.Optional(User),
  },
  { title: 'Flag' },
)
export type Flag = Static<typeof Flag>
