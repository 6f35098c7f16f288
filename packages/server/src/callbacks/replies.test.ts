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
    expect(repliesIn(json)).toEqual({ replies })
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
    expect(repliesIn(json)).toEqual({ replies: [] })
  })

  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

  it.each([
    [`{"reply":{"data":{"text":"x","metadata":{"a":${deep(20_000)}}}}}`, /^the answer must not be nested deeper/],
    [`{"replies":["x",${deep(100)}]}`, /^the answer must not be nested deeper/],
    ['{"reply":{"data":{"text":"x"},"tags":["a\\u0000b"]}}', /^the answer must not contain the character NUL/],
    ['{"reply":{"data":{"text":"x","metadata":{"__proto__":{}}}}}', /^the answer must be valid JSON/],
    ['{"reply":{"constructor":{"prototype":{}}}}', /^the answer must be valid JSON/],
  ])('that no request could say: %#', (json, problem) => {
    expect(repliesIn(json)).toEqual({ problem: expect.stringMatching(problem) })
  })

  it.each([deep(20_000), `{"other":${deep(20_000)}}`, '{"other":"\\u0000"}', '{"__proto__":{"reply":"x"}}'])(
    'none, however strange: %#',
    (json) => {
      expect(repliesIn(json)).toEqual({ replies: [] })
    },
  )
})
