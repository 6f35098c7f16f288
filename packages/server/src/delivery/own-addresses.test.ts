import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { makeOwnAddresses } from './own-addresses.ts'

test('the addresses of this machine are those of its interfaces', () => {
  const first = Object.values(networkInterfaces()).flat()[0]?.address
  expect(makeOwnAddresses()()).toContain(first)
})

test('are asked for again after a while', () => {
  let nowMs = 0
  let asked = 0
  const own = makeOwnAddresses(
    () => [`10.0.0.${++asked}`],
    () => nowMs,
  )
  expect([own(), own()]).toEqual([['10.0.0.1'], ['10.0.0.1']])
  nowMs = 4999
  expect(own()).toEqual(['10.0.0.1'])
  nowMs = 5000
  expect(own()).toEqual(['10.0.0.2'])
})
