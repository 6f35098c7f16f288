import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Assembly, type Envelope, toPayloads } from './payloads.ts'

const envelope = fc.record({
  subject: fc.string({ unit: 'binary' }),
  message: fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 4000, maxLength: 9000 })),
})

const assemble = (payloads: readonly string[], assembly = new Assembly(), sender = 1): Envelope[] =>
  payloads.flatMap((payload) => assembly.add(sender, payload) ?? [])

test('whatever is cut into payloads comes together again, and no payload is too large', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(envelope, { minLength: 1, maxLength: 8 }), (batch, envelopes) => {
      const payloads = toPayloads(batch, envelopes)
      expect(payloads.every((payload) => Buffer.byteLength(payload) < 8000)).toBe(true)
      expect(payloads.every((payload) => !payload.includes('\0'))).toBe(true)
      expect(new Set(payloads).size).toBe(payloads.length)
      expect(assemble(payloads)).toEqual(envelopes)
    }),
    { numRuns: 100 },
  )
})

const large = [{ subject: 's', message: 'ä'.repeat(10_000) }]
const small = [{ subject: 's', message: 'm' }]

test('a batch that was not heard from its beginning is skipped, and the next one is heard', () => {
  const assembly = new Assembly()
  const [, ...rest] = toPayloads(1, large)
  expect(rest.map((payload) => assembly.add(1, payload))).toEqual(rest.map(() => undefined))
  expect(assemble(toPayloads(2, small), assembly)).toEqual(small)
})

test('a batch that breaks off is not mixed with another', () => {
  const assembly = new Assembly()
  const [first = '', second = '', third = ''] = toPayloads(1, large)
  expect(assembly.add(1, first)).toEqual([])
  expect(assembly.add(2, second)).toBeUndefined()
  expect(assembly.add(1, third)).toBeUndefined()
  expect(assemble(toPayloads(2, large), assembly)).toEqual(large)
})

test.each(['', 'hello', '1 0 1 {"subject":"s"}', '1 0 1 [{"subject":1,"message":"m"}]', '1 0 1 [', '1 0 x []'])(
  'what another program notified is skipped: %s',
  (payload) => {
    expect(new Assembly().add(1, payload)).toBeUndefined()
  },
)
