/** Frames of clients: text that is checked before anybody looks at it. */
import { AuthFrame, type ClientFrame, PingFrame, ReceiptFrame, TransientFrame, TypingFrame } from '@confab/protocol'
import { Compile } from 'typebox/compile'

const auth = Compile(AuthFrame)
const ping = Compile(PingFrame)
const byType = {
  typing_indicator: Compile(TypingFrame),
  receipts: Compile(ReceiptFrame),
  transient_message: Compile(TransientFrame),
} as const

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const typeOf = (value: unknown): string =>
  typeof value === 'object' && value !== null && 'type' in value ? String(value.type) : ''

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
