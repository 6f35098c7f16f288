import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  clearVault,
  type MasterKey,
  makeVault,
  newMasterKey,
  type Place,
  parseMasterKey,
  SealedValueError,
  sealedKeyId,
} from './vault.ts'

const keyOf = (text: string): MasterKey => {
  const key = parseMasterKey(text)
  if (key === undefined) throw new Error('no key')
  return key
}
const one = keyOf(newMasterKey())
const two = keyOf(newMasterKey())
const place: Place = ['app', 'bot', 'password']

describe('master keys', () => {
  test('32 bytes, in hexadecimal or base64: the same key has the same id', () => {
    const bytes = Buffer.from(Array.from({ length: 32 }, (_, at) => 251 - at))
    const ids = ['hex', 'base64', 'base64url'].map((form) => keyOf(bytes.toString(form as BufferEncoding)).id)
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^[0-9a-f]{8}$/)
    expect(bytes.toString('hex')).not.toContain(ids[0])
    expect(keyOf(newMasterKey()).id).not.toBe(keyOf(newMasterKey()).id)
  })

  test.each([
    '',
    'x',
    'a'.repeat(63),
    'a'.repeat(65),
    'a'.repeat(42),
    'a'.repeat(45),
    `${'a'.repeat(43)}\n`,
    'é'.repeat(43),
  ])('%j is none', (text) => expect(parseMasterKey(text)).toBeUndefined())

  test('show nothing of themselves', () => {
    const text = newMasterKey()
    for (const shown of [inspect(keyOf(text), { depth: 9 }), JSON.stringify(keyOf(text))]) {
      expect(shown).not.toContain(text.slice(0, 16))
      expect(shown).not.toContain(Buffer.from(text, 'base64').toString('hex').slice(0, 16))
    }
  })
})

describe('values', () => {
  const vault = makeVault(one)

  test.each(['', 'x', 'p'.repeat(50), 'whsec_c2VjcmV0', 'pässwörd 🔑', 'v1:aaaaaaaa:x:y'])('%j comes back', (plain) => {
    const sealed = vault.seal(plain, place)
    expect(sealed).toMatch(new RegExp(`^v1:${one.id}:[\\w-]{16}:[\\w-]{22,}$`))
    if (plain.length > 3) expect(sealed).not.toContain(plain)
    expect(makeVault(one).open(sealed, place)).toBe(plain)
    // Twice: what is remembered is the same.
    expect([vault.open(sealed, place), vault.open(sealed, place)]).toEqual([plain, plain])
    // The longest password of the contract is shorter than any sealed text: neither is taken for the other.
    expect(sealed.length).toBeGreaterThan(50)
  })

  test('the same text is never sealed alike', () => {
    expect(vault.seal('x', place)).not.toBe(vault.seal('x', place))
  })

  test('open in their own place only, also when they are remembered', () => {
    const sealed = vault.seal('hush', place)
    expect(vault.open(sealed, place)).toBe('hush')
    const others: Place[] = [
      ['app', 'bot', 'signing_secret'],
      ['app', 'bot2', 'password'],
      ['app2', 'bot', 'password'],
      ['app bot', '', 'password'],
    ]
    for (const other of others) expect(() => vault.open(sealed, other)).toThrow(SealedValueError)
    expect(() => vault.open(vault.seal('x', ['a', 'b","c', 'd']), ['a","b', 'c', 'd'])).toThrow(SealedValueError)
  })

  test('do not open when they were changed, at any byte', () => {
    const sealed = vault.seal('hush', place)
    const at = sealed.lastIndexOf(':') + 1
    const bytes = Buffer.from(sealed.slice(at), 'base64url')
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
      expect(() => vault.open(sealed.slice(0, at) + changed.toString('base64url'), place)).toThrow(SealedValueError)
    }
  })

  test('of another key open only where that key is accepted, and are sealed anew with the current one', () => {
    const sealed = vault.seal('hush', place)
    expect(() => makeVault(two).open(sealed, place)).toThrow(one.id)
    expect(() => clearVault.open(sealed, place)).toThrow(SealedValueError)
    const both = makeVault(two, [one])
    expect(both.open(sealed, place)).toBe('hush')
    expect([both.isCurrent(sealed), vault.isCurrent(sealed)]).toEqual([false, true])
    expect(sealedKeyId(both.seal('hush', place))).toBe(two.id)
  })

  test('in clear are taken as they are', () => {
    for (const plain of ['', 'whsec_c2VjcmV0', 'v1:aaaaaaaa:x:y']) {
      expect(vault.open(plain, place)).toBe(plain)
      expect([vault.isCurrent(plain), clearVault.isCurrent(plain)]).toEqual([false, true])
      expect(clearVault.seal(plain, place)).toBe(plain)
    }
  })

  test('more of them than are remembered all come back', () => {
    const sealed = Array.from({ length: 2100 }, (_, n) => vault.seal(String(n), place))
    for (let round = 0; round < 2; round++) {
      expect(sealed.map((text) => Number(vault.open(text, place)))).toEqual(sealed.map((_, n) => n))
    }
  })
})
