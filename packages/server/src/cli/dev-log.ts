import type { Logger } from '../kernel/logger.ts'

type Fields = Readonly<Record<string, unknown>>

const time = (): string => new Date().toISOString().slice(11, 23)

/** Lines for the person in front of the terminal, of what they want to see while they try things. */
const lines: Readonly<Record<string, (fields: Fields) => string>> = {
  'http.request': ({ method, route, status, ms, code }) =>
    `${method} ${route} → ${status}${code ? ` ${code}` : ''} (${ms} ms)`,
  'delivery.attempted': ({ bot, conversationId, attempt, outcome, status, error, ms, next }) =>
    `callback to ${bot} [${conversationId}] attempt ${attempt} → ${status ?? outcome}` +
    `${error ? `: ${error}` : ''} (${ms} ms)${next === 'delivered' ? '' : `, next: ${next}`}`,
}

/** What callers of the log pass as an object of named fields. */
const fieldsOf = (fields: object): Fields => ({ ...fields })

export const makeDevLog = (): Logger => {
  const print = (fields: object, event: string): void => {
    const line = lines[event]
    if (line !== undefined) console.log(`${time()}  ${line(fieldsOf(fields))}`)
  }
  const shout = (fields: object, event: string): void => {
    if (lines[event] !== undefined) print(fields, event)
    else console.error(`${time()}  ${event}`, fields)
  }
  return { debug: () => {}, info: print, warn: shout, error: shout }
}
