/** Bodies of requests: JSON, and nothing that could harm whoever reads it later. */
import type { FastifyInstance } from 'fastify'
import { badRequest } from '../kernel/app-error.ts'

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

const problemOf = (json: string): string | undefined => {
  if (json.includes('\\u0000') && NUL.test(json)) return 'must not contain the character NUL'
  return isNestedTooDeeply(json) ? `must not be nested deeper than ${NESTING_MAX} levels` : undefined
}

const refusePollution = (key: string, value: unknown): unknown => {
  const isPolluting =
    key === '__proto__' ||
    (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))
  if (isPolluting) throw badRequest({ body: 'must be valid JSON' })
  return value
}

/** JSON within a body that is something else, under the same rules. `SyntaxError` if it is none. */
export const parseJsonText = (json: string): unknown => {
  const problem = problemOf(json)
  if (problem !== undefined) throw badRequest({ body: problem })
  return JSON.parse(json, refusePollution)
}

/** JSON in bodies only; an empty body is null. NUL is no text: PostgreSQL cannot store it. */
export const acceptJson = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    const problem = problemOf(body)
    if (body.trim() === '') done(null, null)
    else if (problem !== undefined) done(badRequest({ body: problem }))
    else void parse(request, body, done)
  })
  // Forms are read by who takes them, as they come. Who takes none refuses them later than here, where the connection
  // would be closed upon them before their sender could read why.
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null, null))
}
