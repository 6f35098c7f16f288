import { groupChatSettings, type Uid } from '@confab/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isForBot, isSlashed, mayBeRelayed, mentionedUids } from './relay.ts'

test.each([
  ['', []],
  ['no one', []],
  ['<@uid:bob>', ['bob']],
  ['Hi <@uid:Bob_1-x>, <@uid:amy>, <@uid:bob_1-X>!', ['bob_1-x', 'amy']],
  ['<@uid:a><@uid:b>', ['a', 'b']],
  ['<@uid:>', []],
  ['<@uid:a b>', []],
  ['<@uid:a', []],
  ['<@ uid:a>', []],
  ['<@uid:<@uid:inner>', ['inner']],
  ['<@UID:a>', []],
  ['<@all:all>', []],
])('the mentions in %j', (text, uids) => {
  expect(mentionedUids(text)).toEqual(uids)
})

test('every mention is found, once, whatever stands around it', () => {
  const uid = fc.stringMatching(/^[a-z0-9_-]{1,20}$/)
  const around = fc.string().filter((text) => !text.includes('<') && !text.includes('>'))
  const parts = fc.array(fc.tuple(around, uid), { maxLength: 8 })
  fc.assert(
    fc.property(parts, around, (mentions, tail) => {
      const text = mentions.map(([before, name]) => `${before}<@uid:${name}>`).join('') + tail
      expect(mentionedUids(text)).toEqual([...new Set(mentions.map(([, name]) => name))])
    }),
  )
})

test.each([
  ['/go', true],
  ['/', true],
  [' \t\r\n/go', true],
  ['\u00a0\u3000\ufeff/go', true],
  ['go /', false],
  ['', false],
  ['\\/go', false],
])('whether %j is a command', (text, slashed) => {
  expect(isSlashed(text)).toBe(slashed)
})

test('what may be relayed: categories that are said, not done', () => {
  const relayed = ['message', 'custom', 'interactive', 'card', 'agentic', 'action', 'call', ''].filter(mayBeRelayed)
  expect(relayed).toEqual(['message', 'custom', 'interactive', 'card', 'agentic'])
})

describe('a group message is for the bot', () => {
  const texts = ['hello', '  /go', 'hi <@uid:BOT>', '/go <@uid:bot>', '<@uid:bot2> <@uid:other>', null]
  const heard = {
    none: [],
    allMessages: texts,
    slashedMessages: ['  /go', '/go <@uid:bot>'],
    mentionedMessages: ['hi <@uid:BOT>', '/go <@uid:bot>'],
  }
  test.each(groupChatSettings)('by %s', (groupChatSetting) => {
    const bot = { uid: 'bot' as Uid, groupChatSetting }
    expect(texts.filter((text) => isForBot(bot, text))).toEqual(heard[groupChatSetting])
  })
})
