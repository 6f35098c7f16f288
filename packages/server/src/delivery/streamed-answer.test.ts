import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StreamedAnswer } from './streamed-answer.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const heard = (...chunks: readonly string[]): StreamedAnswer => {
  const answer = new StreamedAnswer()
  for (const chunk of chunks) answer.feed(bytes(chunk))
  return answer
}

describe('a streamed answer', () => {
  it.each([
    ['data: {"text":"Hel"}\n\ndata: {"text":"lo"}\n\n', 'Hello'],
    ['data: Hel\n\ndata: lo\n\n', 'Hello'],
    ['data: "Hel"\n\ndata: "lo\\n"\n\n', 'Hello\n'],
    ['data: one\ndata: two\n\n', 'one\ntwo'],
    [': a comment\n\nid: 1\nevent: message\ndata: x\n\nretry: 5\n\n', 'x'],
    ['data: {"other":1}\n\ndata: 5\n\ndata: {"text":5}\n\n', ''],
    ['data: one\n\ndata: {"text":" and two"}\n', 'one and two'],
    ['data: never ended', 'never ended'],
    ['data: never ended\r', 'never ended'],
    ['data: one\ndata: two', 'one\ntwo'],
    ['data: one\n\n: no more', 'one'],
    ['data: one\n\ndata: [DONE]', 'one'],
    ['data: one\r\n\r\ndata: two\r\n\r\n', 'onetwo'],
  ])('%j says %j', (stream, text) => {
    const answer = heard(stream)
    answer.end()
    expect(answer.result(true)).toEqual({ text, isWhole: true })
    expect([answer.isEmpty, answer.isBroken]).toEqual([text === '', false])
  })

  it('says the same however it is cut', () => {
    const whole = bytes('data: {"text":"żółć "}\n\ndata: 👩‍👩‍👧\n\nevent: x\ndata: !\n\n')
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 20 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), whole.length]
        const answer = new StreamedAnswer()
        for (const [n, start] of at.entries()) answer.feed(whole.subarray(start, at[n + 1] ?? whole.length))
        expect(answer.result(true).text).toBe('żółć 👩‍👩‍👧!')
      }),
    )
  })

  it('that ends within a character has said all before it', () => {
    const answer = heard('data: żó')
    answer.feed(bytes('ł').subarray(0, 1))
    answer.end()
    expect(answer.result(true).text).toBe('żó\uFFFD')
  })

  it.each([
    ['data: one\n\ndata: {"text":"tw', 'one'],
    ['data: one\n\nevent: reply\ndata: {"data":{"te\n', 'one'],
    ['data: {"text"', ''],
  ])('%j ended within an event, half of which is not said', (stream, text) => {
    const answer = heard(stream)
    answer.end()
    expect([answer.isBroken, answer.text, answer.result(false).reply]).toEqual([true, text, undefined])
  })

  it('that broke off keeps what was whole, and no more', () => {
    expect(heard('data: one\n\ndata: two').result(false)).toEqual({ text: 'one', isWhole: false })
  })

  it('ends with [DONE], whatever comes behind it', () => {
    const answer = new StreamedAnswer()
    expect(answer.feed(bytes('data: x\n\n'))).toBe(true)
    expect(answer.feed(bytes('data: [DONE]\n\ndata: y\n\n'))).toBe(false)
    expect([answer.isDone, answer.result(true)]).toEqual([true, { text: 'x', isWhole: true }])
  })

  it('may give a whole message in place of the pieces', () => {
    const reply = { data: { text: 'all of it', metadata: { a: 1 } } }
    expect(heard('data: all\n\n', `event: reply\ndata: ${JSON.stringify(reply)}\n\n`).result(true)).toEqual({
      text: 'all',
      reply: { value: reply },
      isWhole: true,
    })
    expect(heard('event: reply\ndata: just this\n\n').result(true).reply).toEqual({ value: 'just this' })
    expect(heard('event: reply\ndata: null\n\n').result(true).reply).toEqual({ value: 'null' })
  })

  it.each([
    [`{"data":{"metadata":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}}`, /nested deeper/],
    ['{"data":{"text":"x"},"tags":["\\u0000"]}', /NUL/],
    ['{"data":{"metadata":{"__proto__":{}}}}', /valid JSON/],
  ])('says what is wrong with a message that no request could hold: %#', (data, problem) => {
    const answer = heard(`event: reply\ndata: ${data}\n\n`)
    expect(answer.isEmpty).toBe(false)
    expect(answer.result(true).reply).toEqual({ problem: expect.stringMatching(problem) })
  })

  it('that broke off, or is too long, is not whole', () => {
    expect(heard('data: x\n\n').result(false)).toEqual({ text: 'x', isWhole: false })
    const long = new StreamedAnswer()
    expect(long.feed(bytes(`data: ${'x'.repeat(7000)}\n\n`))).toBe(false)
    const { text, isWhole } = long.result(true)
    expect([text.length, isWhole, long.cut]).toEqual([6000, false, 'the stream was cut after 6000 characters'])
    const comments = new StreamedAnswer()
    for (let n = 0; n < 9; n++) comments.feed(bytes(`: ${'x'.repeat(64 * 1024)}\n`))
    expect([comments.cut, comments.isEmpty]).toEqual(['the stream was cut after 512 KiB', true])
  })

  it.each([
    ['that is too long', `data: ${'x'.repeat(5999)}😀\n\n`, true, 5999],
    ['that is just not', `data: ${'x'.repeat(5998)}😀\n\n`, true, 6000],
    ['that broke off', 'data: "one\\ud83d"\n\n', false, 3],
    // As in a request, where it is what the sender says.
    ['that is whole', 'data: "one\\ud83d"\n\n', true, 4],
  ])('ends in no half of a character where it was cut: %s', (_, stream, isEnded, length) => {
    expect(heard(stream).result(isEnded).text).toHaveLength(length)
  })
})
