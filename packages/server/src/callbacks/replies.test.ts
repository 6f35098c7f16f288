import { describe, expect, it } from 'vitest'
import { repliesIn } from './replies.ts'

describe('replies in an answer', () => {
  it.each<[string, readonly unknown[]]>([
    ['{"reply":"hello"}', ['hello']],
    ['{"reply":{"data":{"text":"hello"}}}', [{ data: { text: 'hello' } }]],
    ['{"replies":["one",{"data":{}},"two"]}', ['one', { data: {} }, 'two']],
    ['{"reply":"one","replies":["two","three"]}', ['one', 'two', 'three']],
    ['{"replies":["two"],"reply":"one"}', ['one', 'two']],
    // One where several may be; whoever posts them says what is wrong with others.
    ['{"replies":"one"}', ['one']],
    ['{"replies":{"data":{}}}', [{ data: {} }]],
    ['{"reply":7}', [7]],
    ['{"reply":["one","two"]}', [['one', 'two']]],
    ['{"reply":""}', ['']],
    ['{"reply":false}', [false]],
    ['{"replies":[null]}', [null]],
    [' {"reply" : "hello", "ok": true}\n', ['hello']],
  ])('%s', (json, replies) => {
    expect(repliesIn(json)).toEqual(replies)
  })

  it.each([
    '{}',
    '{"ok":true}',
    '{"reply":null}',
    '{"replies":null}',
    '{"replies":[]}',
    '{"reply":null,"replies":[]}',
    '{"data":{"reply":"hello"}}',
    '{"Reply":"hello"}',
    '["reply"]',
    '[{"reply":"hello"}]',
    '"reply"',
    'null',
    '7',
    '',
    'reply: hello',
    '{"reply":"hell',
    '{"reply":"hello"} and more',
  ])('none: %s', (json) => {
    expect(repliesIn(json)).toEqual([])
  })
})
