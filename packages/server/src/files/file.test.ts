import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rangeOf } from './byte-range.ts'
import { extensionOf, fileIdIn, fileNameOf, filePath, messageTypeOf, mimeTypeOf, presentationOf } from './file.ts'

const id = '0123456789abcdef0123456789abcdef01234567'

describe('names', () => {
  test.each([
    [undefined, 'file'],
    ['', 'file'],
    [' \t\n', 'file'],
    ['.', 'file'],
    ['...', 'file'],
    ['a/b/..', 'file'],
    ['a\\b\\c.txt', 'c.txt'],
    ['a\0b\r\n\u0085c', 'abc'],
    ['\uD800x', '\uFFFDx'],
  ])('%j', (given, name) => {
    expect(fileNameOf(given)).toBe(name)
  })

  test('whatever is given, a name is short, whole, without a path, and makes a path and a header of plain characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (given) => {
        const name = fileNameOf(given)
        expect(name.length).toBeGreaterThan(0)
        expect(name.length).toBeLessThanOrEqual(100)
        expect(name.isWellFormed()).toBe(true)
        expect(name).not.toMatch(/[/\\\p{Cc}]/u)
        expect(fileNameOf(name)).toBe(name)
        const path = filePath({ appId: 'app', id, name })
        expect(path).toMatch(/^\/files\/app\/[0-9a-f]{40}\/[A-Za-z0-9_-]{1,40}(\.[a-z0-9]{1,16})?$/)
        expect(fileIdIn(`https://x.example${path}`)).toBe(id)
        expect(presentationOf({ name, mimeType: 'a/b' }).disposition).toMatch(
          /^attachment; filename="[\w. -]+"; filename\*=UTF-8''[A-Za-z0-9%._~!-]+$/,
        )
      }),
    )
  })

  test('what ends a long name stays', () => {
    expect(fileNameOf(`${'ä'.repeat(200)}.tar.GZ`)).toBe(`${'ä'.repeat(97)}.GZ`)
    expect(fileNameOf('😀'.repeat(80))).toBe('😀'.repeat(50))
    expect(fileNameOf(`x${'😀'.repeat(80)}`)).toBe(`x${'😀'.repeat(49)}`)
    expect([extensionOf('a.B'), extensionOf('a'), extensionOf('a.ä'), extensionOf('.env')]).toEqual([
      'b',
      '',
      '',
      'env',
    ])
  })
})

test.each([
  ['image/PNG', 'a.txt', 'image/png'],
  [' text/html ; charset=x', 'a', 'text/html'],
  ['application/octet-stream', 'a.JPG', 'image/jpeg'],
  ['', 'a.pdf', 'application/pdf'],
  [undefined, 'a.unknown', 'application/octet-stream'],
  ['nonsense', 'a', 'application/octet-stream'],
  ['a/b\r\nx: y', 'a', 'application/octet-stream'],
  [`a/${'b'.repeat(200)}`, 'a', 'application/octet-stream'],
])('the type of %j, %j is %s', (given, name, type) => {
  expect(mimeTypeOf(given, name)).toBe(type)
})

test('which type of message a file makes', () => {
  const types = ['image/svg+xml', 'audio/x', 'video/mp4', 'text/plain', 'imagery/x'].map(messageTypeOf)
  expect(types).toEqual(['image', 'audio', 'video', 'file', 'file'])
})

test.each([
  'text/html',
  'image/svg+xml',
  'text/xml',
  'application/xhtml+xml',
  'text/javascript',
  'toString',
  '__proto__',
])('%s is neither shown nor said', (mimeType) => {
  const { contentType, disposition } = presentationOf({ name: 'x', mimeType })
  expect([contentType, disposition.split(';')[0]]).toEqual(['application/octet-stream', 'attachment'])
})

test('which urls may be of files of ours', () => {
  expect(fileIdIn(`http://a/files/app/${id}`)).toBe(id)
  expect(fileIdIn(`http://a/b/files/app/${id}?x`)).toBe(id)
  for (const url of [
    '',
    `http://a/files/${id}/a`,
    `http://a/files/app/${id}0/a`,
    `http://a/files/app/${id.slice(1)}/a`,
  ])
    expect(fileIdIn(url)).toBeUndefined()
})

test('a part is within the file, or there is none', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.option(fc.nat(60)), fc.option(fc.nat(60)), (size, first, last) => {
      const range = rangeOf(`bytes=${first ?? ''}-${last ?? ''}`, size)
      if (typeof range !== 'object') return
      expect(range.start).toBeLessThanOrEqual(range.end)
      expect(range.end).toBeLessThan(size)
      if (first !== null) expect(range.start).toBe(first)
      else expect(range.end - range.start + 1).toBe(Math.min(last ?? 0, size))
    }),
  )
})
