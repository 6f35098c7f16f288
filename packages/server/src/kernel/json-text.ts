/** What JSON of others must not hold, told from its text: what is never built can harm nobody. */

/** An escaped NUL, and not a backslash that is itself escaped before `u0000`. */
const NUL = /(?<!\\)(?:\\\\)*\\u0000/

/** Deeper than anything that people send; shallower than what the engine's own recursion can bear. */
const NESTING_MAX = 100

const QUOTE = 34
const BACKSLASH = 92
const OPENING: ReadonlySet<number> = new Set([91, 123])
const CLOSING: ReadonlySet<number> = new Set([93, 125])

/** Of the text, before it is parsed: what is never built can overflow no stack later. */
const isNestedTooDeeply = (json: string): boolean => {
  if (json.length < 2 * NESTING_MAX) return false
  let depth = 0
  let inString = false
  for (let index = 0; index < json.length; index++) {
    const code = json.charCodeAt(index)
    if (inString) {
      if (code === BACKSLASH) index++
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (OPENING.has(code)) {
      if (++depth > NESTING_MAX) return true
    } else if (CLOSING.has(code)) depth--
  }
  return false
}

/** What is wrong with the text, in words that follow its name. */
export const problemOf = (json: string): string | undefined => {
  if (json.includes('\\u0000') && NUL.test(json)) return 'must not contain the character NUL'
  return isNestedTooDeeply(json) ? `must not be nested deeper than ${NESTING_MAX} levels` : undefined
}

const POLLUTES = /__|constructor|\\u/

/** Of keys that would change objects of whoever copies them; as the parser of bodies refuses them. */
export const isPrototype = (key: string, value: unknown): boolean =>
  key === '__proto__' ||
  (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))

const assertNoPrototypes = (key: string, value: unknown): unknown => {
  if (isPrototype(key, value)) throw new SyntaxError('a key that is a prototype')
  return value
}

export interface ParsedSafely {
  readonly value?: unknown
  /** In words that follow the name of the text. */
  readonly problem?: string
}

/** For JSON that no parser of bodies has seen. */
export const parseSafely = (text: string): ParsedSafely => {
  const problem = problemOf(text)
  if (problem !== undefined) return { problem }
  try {
    return { value: POLLUTES.test(text) ? JSON.parse(text, assertNoPrototypes) : JSON.parse(text) }
  } catch {
    return { problem: 'must be valid JSON' }
  }
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** For text that may be JSON, and may be anything else: then it is nothing, and no problem. */
export const parseIfJson = (text: string): ParsedSafely | undefined => {
  const parsed = parseSafely(text)
  return parsed.problem === undefined || isJson(text) ? parsed : undefined
}
