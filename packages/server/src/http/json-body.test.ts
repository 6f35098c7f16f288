import { gzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { errorAnswer, toAppError } from './error-mapping.ts'
import { acceptJson } from './json-body.ts'

const app = Fastify({ bodyLimit: 1024 * 1024 })
acceptJson(app)
app.setErrorHandler((error, _request, reply) => {
  const failure = toAppError(error, 1024)
  reply.code(failure.status).send(errorAnswer(failure, 'req_1'))
})
app.post('/', (request) => ({ body: request.body ?? null }))

const send = async (payload: string | Buffer, headers: Readonly<Record<string, string>> = {}) => {
  const answer = await app.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/json', ...headers },
    payload,
  })
  return answer.json()
}
const problemOf = async (payload: string): Promise<unknown> => (await send(payload)).error?.details?.body

const arrays = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

test('an empty body is null', async () => {
  expect(await send('')).toEqual({ body: null })
  expect(await send(' \n')).toEqual({ body: null })
})

test('the character NUL is refused; text that merely spells its escape is not', async () => {
  const problem = 'must not contain the character NUL'
  expect(await problemOf('{"a":"\\u0000"}')).toBe(problem)
  expect(await problemOf('{"a":"x\\\\\\u0000"}')).toBe(problem)
  expect(await send('{"a":"\\\\u0000"}')).toEqual({ body: { a: '\\u0000' } })
  expect(await send('{"a":"\\\\\\\\u0000"}')).toEqual({ body: { a: '\\\\u0000' } })
})

test('what is packed is refused as that, and not as JSON that is wrong', async () => {
  expect(await send(gzipSync('{}'), { 'content-encoding': 'gzip' })).toMatchObject({
    error: { code: 'ERR_UNSUPPORTED_MEDIA_TYPE', details: { 'content-encoding': 'must be left out' } },
  })
  expect(await send('{}', { 'content-encoding': 'identity' })).toEqual({ body: {} })
})

test('a hundred levels are enough', async () => {
  const problem = 'must not be nested deeper than 100 levels'
  expect(await send(arrays(100))).toEqual({ body: JSON.parse(arrays(100)) })
  expect(await problemOf(arrays(101))).toBe(problem)
  expect(await problemOf(`{"a":${arrays(100)}}`)).toBe(problem)
  expect(await problemOf(`{"a":"${'x'.repeat(300)}\\"","b":${arrays(100)}}`)).toBe(problem)
  expect(await problemOf('{"a":'.repeat(100_000))).toBe(problem)
})

test('brackets in text, and beside each other, nest nothing', async () => {
  const text = '[{'.repeat(500)
  expect(await send(JSON.stringify({ text, more: `"${text}\\` }))).toEqual({ body: { text, more: `"${text}\\` } })
  const wide = Array.from({ length: 1000 }, () => [{}])
  expect(await send(JSON.stringify(wide))).toEqual({ body: wide })
})

test.each(['{', '{"__proto__":{}}', '{"constructor":{"prototype":{}}}', '{"a":1}}'])(
  '%s is refused',
  async (payload) => {
    expect(await problemOf(payload)).toBe('must be valid JSON')
  },
)
