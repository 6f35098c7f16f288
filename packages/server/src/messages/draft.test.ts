import { defaultLimits, type SendMessage } from '@confab/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { draftEdit, draftMessage as draftIn } from './draft.ts'

const draftMessage = (body: SendMessage) => draftIn(body, defaultLimits)

const dataOf = (body: SendMessage): unknown => JSON.parse(`${draftMessage(body).dataHead}}`)
const attachment = { url: 'https://e.example/a.png', name: 'a' }
const media = (attachments: unknown): SendMessage => ({ type: 'image', data: { attachments } })
const mentions = (count: number): string => Array.from({ length: count }, (_, n) => `<@uid:u${n}>`).join('')
/** A message whose data take exactly so many bytes. */
const sized = (bytes: number): SendMessage => ({
  data: { text: `x${'é'.repeat((bytes - '{"text":"x"}'.length) / 2)}` },
})

describe('what is refused', () => {
  test.each<[string, SendMessage, string]>([
    ['an empty category', { category: '', data: {} }, 'ERR_EMPTY_MESSAGE_CATEGORY'],
    ['an unknown category', { category: 'call', data: {} }, 'ERR_INVALID_MESSAGE_CATEGORY'],
    ['the category of actions', { category: 'action', data: {} }, 'ERR_INVALID_MESSAGE_CATEGORY'],
    ['an empty type', { type: ' ', data: { text: 'x' } }, 'ERR_EMPTY_MESSAGE_TYPE'],
    ['a custom message without type', { category: 'custom', data: { customData: {} } }, 'ERR_EMPTY_MESSAGE_TYPE'],
    ['an unknown type', { type: 'poll', data: { text: 'x' } }, 'ERR_INVALID_MESSAGE_TYPE'],
    ['no data', {}, 'ERR_INVALID_MESSAGE_DATA'],
    ['null data', { data: null }, 'ERR_INVALID_MESSAGE_DATA'],
    ['a list as data', { data: [] }, 'ERR_INVALID_MESSAGE_DATA'],
    ['a string as data', { data: '{}' }, 'ERR_INVALID_MESSAGE_DATA'],
    ['data that are too large', sized(defaultLimits.messageDataBytes + 2), 'ERR_INVALID_MESSAGE_DATA'],
    ['no text', { data: {} }, 'ERR_EMPTY_MESSAGE_TEXT'],
    ['null text', { data: { text: null } }, 'ERR_EMPTY_MESSAGE_TEXT'],
    ['white text', { data: { text: ' \n\t' } }, 'ERR_EMPTY_MESSAGE_TEXT'],
    ['a number as text', { data: { text: 1 } }, 'ERR_INVALID_MESSAGE_TEXT'],
    [
      'a number as caption',
      { type: 'image', data: { text: 1, attachments: [attachment] } },
      'ERR_INVALID_MESSAGE_TEXT',
    ],
    ['media without attachments', media(undefined), 'ERR_EMPTY_MESSAGE_FILE'],
    ['media with no attachments', media([]), 'ERR_EMPTY_MESSAGE_FILE'],
    ['attachments that are no list', media({ ...attachment }), 'ERR_INVALID_MEDIA_MESSAGE'],
    ['an attachment without url', media([attachment, { name: 'x' }]), 'ERR_INVALID_MEDIA_MESSAGE'],
    ['an attachment with half a url', media([{ url: '/a.png' }]), 'ERR_INVALID_MEDIA_MESSAGE'],
    ['an attachment that is null', media([null]), 'ERR_INVALID_MEDIA_MESSAGE'],
    [
      'too many attachments',
      media(Array(defaultLimits.attachmentsPerMessage + 1).fill(attachment)),
      'ERR_INVALID_MEDIA_MESSAGE',
    ],
    ['custom without custom data', { category: 'custom', type: 'x', data: {} }, 'ERR_EMPTY_CUSTOM_DATA'],
    ['custom data null', { category: 'custom', type: 'x', data: { customData: null } }, 'ERR_EMPTY_CUSTOM_DATA'],
    ['custom data a list', { category: 'custom', type: 'x', data: { customData: [] } }, 'ERR_INVALID_CUSTOM_DATA'],
    ['custom data a string', { category: 'custom', type: 'x', data: { custom_data: 'x' } }, 'ERR_INVALID_CUSTOM_DATA'],
    [
      'an interactive message without type',
      { category: 'interactive', data: { interactiveData: {} } },
      'ERR_EMPTY_MESSAGE_TYPE',
    ],
    ['interactive data that are none', { category: 'interactive', type: 'form', data: {} }, 'ERR_INVALID_MESSAGE_DATA'],
    [
      'a goal of interaction that is unknown',
      { category: 'interactive', type: 'form', data: { interactiveData: {}, interactionGoal: { type: 'x' } } },
      'ERR_INVALID_MESSAGE_DATA',
    ],
    [
      'a goal of interaction of no elements',
      {
        category: 'interactive',
        type: 'form',
        data: { interactiveData: {}, interactionGoal: { type: 'allOf', elementIds: [1] } },
      },
      'ERR_INVALID_MESSAGE_DATA',
    ],
    [
      'a word on whether the sender may interact',
      { category: 'interactive', type: 'card', data: { interactiveData: {}, allowSenderInteraction: 'no' } },
      'ERR_INVALID_MESSAGE_DATA',
    ],
    ['a card without one', { category: 'card', type: 'card', data: { card: [] } }, 'ERR_INVALID_MESSAGE_DATA'],
    [
      'a category that is told, not said',
      { category: 'call', type: 'audio', data: {} },
      'ERR_INVALID_MESSAGE_CATEGORY',
    ],
    ['metadata a list', { data: { text: 'x', metadata: [] } }, 'ERR_INVALID_METADATA'],
    ['metadata a string', { data: { text: 'x', metadata: '{}' } }, 'ERR_INVALID_METADATA'],
    ['too many mentions', { data: { text: mentions(defaultLimits.mentionsPerMessage + 1) } }, 'ERR_BAD_REQUEST'],
  ])('%s', (_, body, code) => {
    expect(() => draftMessage(body)).toThrow(
      expect.objectContaining({ name: 'AppError', code, details: expect.anything() }),
    )
  })
})

describe('what is accepted', () => {
  test('a text, as message of type text', () => {
    const draft = draftMessage({ data: { text: ' hi <@uid:Bob> ', metadata: { k: 1 }, more: [1] } })
    expect(draft).toEqual({
      category: 'message',
      type: 'text',
      dataHead: '{"text":" hi <@uid:Bob> ","metadata":{"k":1},"more":[1]',
      text: ' hi <@uid:Bob> ',
      mentions: ['bob'],
    })
  })

  test('cards, and what an AI says of its work', () => {
    const card = { fallbackText: 'a card', body: [] }
    expect(dataOf({ category: 'card', type: 'card', data: { card, text: 'see' } })).toEqual({ card, text: 'see' })
    const data = { runId: 'r', threadId: 't', toolCalls: [] }
    expect(dataOf({ category: 'agentic', type: 'tool-arguments', data })).toEqual(data)
  })

  test('media, with caption and the url of the first attachment', () => {
    const draft = draftMessage({
      type: 'image',
      data: { text: 'see <@uid:bob>', attachments: [attachment, attachment] },
    })
    expect(draft).toMatchObject({ type: 'image', text: 'see <@uid:bob>', mentions: ['bob'] })
    expect(dataOf(media([attachment]))).toEqual({ attachments: [attachment], url: attachment.url })
    const given = { attachments: [attachment], url: 'https://own' }
    expect(dataOf({ type: 'file', data: given })).toEqual(given)
    expect(draftMessage(media([attachment])).text).toBeNull()
    expect(draftMessage(media(Array(defaultLimits.attachmentsPerMessage).fill(attachment))).type).toBe('image')
  })

  test('media without caption, and without a url that is one', () => {
    for (const url of ['', null, 5, true, {}, [attachment.url]]) {
      const data = { attachments: [attachment], text: null, url }
      expect(dataOf({ type: 'image', data })).toEqual({ attachments: [attachment], url: attachment.url })
    }
    const data = { customData: {}, text: null }
    expect(dataOf({ category: 'custom', type: 'x', data })).toEqual({ customData: {} })
  })

  test('custom data, under either key', () => {
    const custom = (data: object) => dataOf({ category: 'custom', type: 'poll', data })
    expect(custom({ customData: { a: 1 } })).toEqual({ customData: { a: 1 } })
    expect(custom({ custom_data: { a: 1 } })).toEqual({ customData: { a: 1 } })
    expect(custom({ custom_data: { a: 1 }, customData: { b: 2 }, text: 'caption' })).toEqual({
      customData: { b: 2 },
      text: 'caption',
    })
  })

  test('interactive messages: forms, cards, and what clients draw themselves', () => {
    const data = {
      interactiveData: { title: 'Survey', formFields: [{ elementType: 'button', elementId: 'go' }] },
      interactionGoal: { type: 'anyOf', elementIds: ['go'] },
      allowSenderInteraction: true,
    }
    const draft = draftMessage({ category: 'interactive', type: 'form', data: { ...data, interactions: [1] } })
    expect(draft).toMatchObject({ category: 'interactive', type: 'form', text: null })
    expect(JSON.parse(`${draft.dataHead}}`)).toEqual(data)
  })

  test('data as large as the limit, in bytes, and as many mentions', () => {
    const draft = draftMessage(sized(defaultLimits.messageDataBytes))
    expect(Buffer.byteLength(`${draft.dataHead}}`)).toBe(defaultLimits.messageDataBytes)
    expect(draftMessage({ data: { text: mentions(defaultLimits.mentionsPerMessage) } }).mentions).toHaveLength(
      defaultLimits.mentionsPerMessage,
    )
  })

  test('what only the server says is dropped, and null metadata with it', () => {
    const owned = { entities: 1, mentions: 1, reactions: 1, moderation: 1, resource: 1, action: 1, extras: 1 }
    const given = { ...owned, text: 'x', metadata: null }
    expect(dataOf({ data: given })).toEqual({ text: 'x' })
    expect(Object.keys(given)).toHaveLength(9)
  })

  test('any other JSON comes through as it was, and the store can close the brace', () => {
    const reserved = [
      'entities',
      'mentions',
      'reactions',
      'moderation',
      'resource',
      'action',
      'extras',
      'metadata',
      'text',
    ]
    const rest = fc.dictionary(
      fc.string({ maxLength: 10 }).filter((key) => !reserved.includes(key)),
      fc.jsonValue({ maxDepth: 2 }),
      { maxKeys: 5 },
    )
    fc.assert(
      fc.property(rest, (data) => {
        const body = { ...data, text: 'x' }
        expect(dataOf({ data: body })).toEqual(JSON.parse(JSON.stringify(body)))
      }),
    )
  })
})

describe('an edit', () => {
  const stored = {
    category: 'message',
    type: 'text',
    data: '{"text":"one","metadata":{"k":1},"resource":"r","mentions":{},"entities":{"sender":1}}',
  }
  const edit = (change: unknown, message = stored) => draftEdit(message, change, defaultLimits)
  const after = (change: unknown, message = stored) => JSON.parse(`${edit(change, message).dataHead}}`)

  test('changes what it names; the server’s part is neither taken nor kept', () => {
    expect(after({ text: 'two <@uid:b>' })).toEqual({ text: 'two <@uid:b>', metadata: { k: 1 } })
    expect(edit({ text: 'two <@uid:b>' })).toMatchObject({ text: 'two <@uid:b>', mentions: ['b'] })
    expect(after({ metadata: null, entities: { sender: 2 } })).toEqual({ text: 'one' })
    expect(after({})).toEqual({ text: 'one', metadata: { k: 1 } })
  })

  test.each([
    ['no object', 'x', 'ERR_INVALID_MESSAGE_DATA'],
    ['null', null, 'ERR_INVALID_MESSAGE_DATA'],
    ['an empty text', { text: '' }, 'ERR_EMPTY_MESSAGE_TEXT'],
    ['metadata that are none', { metadata: 1 }, 'ERR_INVALID_METADATA'],
  ])('is refused with %s', (_, change, code) => {
    expect(() => edit(change)).toThrow(expect.objectContaining({ code }))
  })

  test.each(['action', 'call'])('is refused for a message of category %s', (category) => {
    expect(() => edit({ text: 'x' }, { ...stored, category })).toThrow(
      expect.objectContaining({ code: 'ERR_MESSAGE_ACTION_NOT_ALLOWED' }),
    )
  })

  test('of media and custom messages keeps to their rules', () => {
    const image = { category: 'message', type: 'image', data: JSON.stringify({ attachments: [attachment], url: 'u' }) }
    expect(after({ text: 'caption' }, image)).toEqual({ attachments: [attachment], url: 'u', text: 'caption' })
    const captioned = { ...image, data: JSON.stringify({ attachments: [attachment], url: 'u', text: 'caption' }) }
    expect(after({ text: null, url: null }, captioned)).toEqual({ attachments: [attachment], url: attachment.url })
    expect(() => edit({ attachments: [] }, image)).toThrow(expect.objectContaining({ code: 'ERR_EMPTY_MESSAGE_FILE' }))
    const custom = { category: 'custom', type: 'x', data: '{"customData":{"a":1}}' }
    expect(after({ customData: { b: 2 } }, custom)).toEqual({ customData: { b: 2 } })
  })

  test('of attachments takes the url along that the server took from the first, and no other', () => {
    const other = { url: 'https://e.example/b.png' }
    const image = (url: string) => ({
      ...{ category: 'message', type: 'image' },
      data: JSON.stringify({ attachments: [attachment], url }),
    })
    const made = image(attachment.url)
    expect(after({ attachments: [other, attachment] }, made)).toEqual({
      attachments: [other, attachment],
      url: other.url,
    })
    expect(after({ attachments: [other], url: attachment.url }, made)).toMatchObject({ url: attachment.url })
    expect(after({ attachments: [other] }, image('https://own'))).toMatchObject({ url: 'https://own' })
    expect(after({ text: 'caption' }, made)).toMatchObject({ url: attachment.url })
    const text = { category: 'message', type: 'text', data: '{"text":"x","attachments":[{"url":"u"}],"url":"u"}' }
    expect(after({ attachments: [] }, text)).toEqual({ text: 'x', attachments: [], url: 'u' })
  })

  test('keeps what a limit that was lowered since would not let in again, and asks it of what is new', () => {
    const limits = { ...defaultLimits, mentionsPerMessage: 1, attachmentsPerMessage: 1, messageDataBytes: 300 }
    const data = { text: mentions(2), attachments: [attachment, attachment], url: attachment.url, metadata: {} }
    const image = { category: 'message', type: 'image', data: JSON.stringify(data) }
    const low = (change: object) => draftEdit(image, change, limits)
    expect(low({ metadata: { k: 1 } })).toMatchObject({ mentions: ['u0', 'u1'] })
    expect(low({ attachments: [attachment] })).toMatchObject({ mentions: ['u0', 'u1'] })
    expect(() => low({ text: mentions(2) })).toThrow(expect.objectContaining({ code: 'ERR_BAD_REQUEST' }))
    expect(() => low({ attachments: [attachment, attachment] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_MEDIA_MESSAGE' }),
    )
    expect(JSON.parse(`${draftEdit(image, {}, { ...limits, messageDataBytes: 10 }).dataHead}}`)).toEqual(data)
    expect(() => draftEdit(image, { text: '' }, { ...limits, messageDataBytes: 10 })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_MESSAGE_DATA' }),
    )
  })

  test('takes custom data under either key', () => {
    const custom = { category: 'custom', type: 'x', data: '{"customData":{"a":1},"text":"caption"}' }
    expect(after({ custom_data: { a: 2 } }, custom)).toEqual({ customData: { a: 2 }, text: 'caption' })
    expect(after({ custom_data: { a: 2 }, customData: { a: 3 } }, custom)).toMatchObject({ customData: { a: 3 } })
    expect(() => edit({ custom_data: null }, custom)).toThrow(
      expect.objectContaining({ code: 'ERR_EMPTY_CUSTOM_DATA' }),
    )
    expect(() => edit({ custom_data: [] }, custom)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_CUSTOM_DATA' }),
    )
    expect(after({ custom_data: 1 })).toEqual({ text: 'one', metadata: { k: 1 }, custom_data: 1 })
  })
})
