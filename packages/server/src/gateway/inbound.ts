/** Frames of clients: text that is checked before anybody looks at it. */
import { AuthFrame, type ClientFrame, PingFrame, ReceiptFrame, TransientFrame, TypingFrame } from '@confab/protocol'
import { Compile } from 'typebox/compile'
import { parseSafely } from '../kernel/json-text.ts'

const auth = Compile(AuthFrame)
const ping = Compile(PingFrame)
const byType = {
  typing_indicator: Compile(TypingFrame),
  receipts: Compile(ReceiptFrame),
  transient_message: Compile(TransientFrame),
} as const

/** What is said is handed on as JSON: what no request may hold, no frame may hold either. */
const parse = (text: string): unknown => parseSafely(text).value

/** Only of a text: an object says itself how it becomes one, and may say nothing that makes sense. */
const typeOf = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string' ? value.type : ''

/** Nothing, if it is none. */
export const readAuth = (text: string): AuthFrame | undefined => {
  const value = parse(text)
  return auth.Check(value) ? (value as AuthFrame) : undefined
}

/** Nothing, if it is none of those that clients may send. */
export const readFrame = (text: string): ClientFrame | undefined => {
  const value = parse(text)
  if (ping.Check(value)) return value as ClientFrame
  const type = typeOf(value)
  if (!Object.hasOwn(byType, type)) return undefined
  return byType[type as keyof typeof byType].Check(value) ? (value as ClientFrame) : undefined
}
