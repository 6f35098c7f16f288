import { expect, test } from 'vitest'
import { errorFacts } from './error-facts.ts'

test('an error says what it is, and nothing that was hung on it', () => {
  const cause = Object.assign(new TypeError('refused'), { code: '23514', detail: 'Failing row contains (secret)' })
  const error = Object.assign(new Error('boom', { cause }), { client: { password: 'secret' }, code: 7 })
  const facts = errorFacts(error)
  expect(facts).toEqual({
    type: 'Error',
    message: 'boom',
    code: '7',
    stack: error.stack,
    cause: { type: 'TypeError', message: 'refused', code: '23514', stack: cause.stack },
  })
  expect(JSON.stringify(facts)).not.toContain('secret')
})

test('what was thrown and is no error is not told', () => {
  expect(errorFacts('secret')).toEqual({ type: 'string', message: 'not an error' })
})

test('an error that is its own cause comes to an end', () => {
  const error = new Error('round and round')
  error.cause = error
  expect(JSON.stringify(errorFacts(error)).split('"message":"round and round"')).toHaveLength(6)
})
