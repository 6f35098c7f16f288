import { expect, test } from 'vitest'
import { isOriginAllowed } from './cors.ts'

const app = 'https://app.example'
const own = 'https://chat.example'

test.each([
  [undefined, [], true],
  [own, [], true],
  [app, [], false],
  [app, [app], true],
  [app, ['https://other.example', app], true],
  [app, ['*'], true],
  ['null', [], false],
  ['null', [app], false],
  ['null', ['*'], true],
  ['', [app], false],
  [`${app}.evil.example`, [app], false],
  ['http://app.example', [app], false],
  [`${app}:8443`, [app], false],
])('%j with %j: %s', (origin, origins, expected) => {
  expect(isOriginAllowed(origin, { origins, own })).toBe(expected)
})

test('where nobody knows where we are reached, no page is our own', () => {
  expect(isOriginAllowed(own, { origins: [], own: undefined })).toBe(false)
})
