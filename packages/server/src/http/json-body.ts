/** Bodies of requests: JSON, and nothing that could harm whoever reads it later. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError, badRequest } from '../kernel/app-error.ts'
import { isPrototype, problemOf } from '../kernel/json-text.ts'
import { LINES } from './route.ts'

/** Lines of JSON are read by the routes that take them, while they come; elsewhere they are no body. */
export const acceptLines = (app: FastifyInstance): void => {
  app.addContentTypeParser(LINES, (request, payload, done) => {
    if (request.routeOptions.config.takesLines) done(null, payload)
    else done(new AppError('ERR_UNSUPPORTED_MEDIA_TYPE'))
  })
}

const refusePollution = (key: string, value: unknown): unknown => {
  if (isPrototype(key, value)) throw badRequest({ body: 'must be valid JSON' })
  return value
}

/** JSON within a body that is something else, under the same rules. `SyntaxError` if it is none. */
export const parseJsonText = (json: string): unknown => {
  const problem = problemOf(json)
  if (problem !== undefined) throw badRequest({ body: problem })
  return JSON.parse(json, refusePollution)
}

/** We unpack nothing: what is small here may be endless there. */
const assertPlain = ({ headers }: FastifyRequest): void => {
  const encoding = headers['content-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return
  throw new AppError('ERR_UNSUPPORTED_MEDIA_TYPE', { details: { 'content-encoding': 'must be left out' } })
}

/** JSON in bodies only; an empty body is null. NUL is no text: PostgreSQL cannot store it. */
export const acceptJson = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body: string, done) => {
    assertPlain(request)
    const problem = problemOf(body)
    if (body.trim() === '') done(null, null)
    else if (problem !== undefined) done(badRequest({ body: problem }))
    else void parse(request, body, done)
  })
  // Forms are read by who takes them, as they come. Who takes none refuses them later than here, where the connection
  // would be closed upon them before their sender could read why.
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null, null))
}
