/**
 * An answer that comes as a stream of events (`text/event-stream`): what a bot says as it thinks of it. Each event holds a
 * piece, as JSON `{"text": "…"}` or as it is; `[DONE]`, or the end of the stream, ends it. An event of the type `reply`
 * holds a whole message, as in an answer that is not streamed, and takes the place of the pieces.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { type ParsedSafely, parseIfJson } from '../kernel/json-text.ts'

/** What was said in all. */
export interface Streamed {
  readonly text: string
  /** The whole message, if the bot gave one; or what is wrong with it, if it is of no use. */
  readonly reply?: ParsedSafely
  /** It came to its end; else it broke off, or was too long. */
  readonly isWhole: boolean
}

/** In UTF-16 units; a message must have room for it. */
const MAX_TEXT = 6000
const MAX_BYTES = 512 * 1024

/** The first half of a character that takes two units, at the end. */
const HALF = /[\uD800-\uDBFF]$/

const parse = (data: string): unknown => {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}

/** Nothing is taken but a text, which the store refuses if it holds what it must not: a piece is never left out in silence. */
const pieceOf = (data: string): string => {
  const parsed = parse(data)
  if (typeof parsed === 'string') return parsed
  if (typeof parsed === 'object' && parsed !== null && 'text' in parsed && typeof parsed.text === 'string') {
    return parsed.text
  }
  return parsed === undefined ? data : ''
}

/** A message as JSON is under the rules of bodies; anything else is a text, as `null` is. */
const replyOf = (data: string): ParsedSafely => {
  const parsed = parseIfJson(data)
  return parsed === undefined || parsed.value === null ? { value: data } : parsed
}

/** Of what was left unfinished: half an object is nothing that anybody has said. */
const isFragment = (data: string): boolean => data.trimStart().startsWith('{') && parse(data) === undefined

export class StreamedAnswer {
  readonly #decoder = new TextDecoder()
  readonly #parser = createParser({ onEvent: (event) => this.#hear(event) })
  #text = ''
  #reply: ParsedSafely | undefined
  #bytes = 0
  #isDone = false
  #isEnding = false
  #isBroken = false

  /** Answers whether more is wanted. */
  feed(chunk: Uint8Array): boolean {
    this.#bytes += chunk.length
    if (this.#bytes <= MAX_BYTES) this.#parser.feed(this.#decoder.decode(chunk, { stream: true }))
    return !this.#isDone && this.cut === undefined
  }

  /** The stream came to its end: so does the event that was under way, also without the empty line behind it. */
  end(): void {
    this.#isEnding = true
    this.#parser.feed(`${this.#decoder.decode()}\n\n`)
  }

  get isDone(): boolean {
    return this.#isDone
  }

  /** It ended within an event: who has no way to say how long an answer is, breaks off like this. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Why no more of it is wanted than what was said so far, if it is too long. */
  get cut(): string | undefined {
    if (this.#text.length > MAX_TEXT) return `the stream was cut after ${MAX_TEXT} characters`
    return this.#bytes > MAX_BYTES ? `the stream was cut after ${MAX_BYTES / 1024} KiB` : undefined
  }

  /** What was said so far. */
  get text(): string {
    return this.#text
  }

  /** Nothing was said so far: it is as if there had been no answer. */
  get isEmpty(): boolean {
    return this.#reply === undefined && this.#text.trim() === ''
  }

  /** @param isEnded whether the stream came to its end */
  result(isEnded: boolean): Streamed {
    const isWhole = isEnded && this.cut === undefined
    return {
      text: isWhole ? this.#text : this.#text.slice(0, MAX_TEXT).replace(HALF, ''),
      ...(this.#reply !== undefined && { reply: this.#reply }),
      isWhole,
    }
  }

  #hear({ event, data }: EventSourceMessage): void {
    if (this.#isDone) return
    if (data === '[DONE]') this.#isDone = true
    else if (this.#isEnding && isFragment(data)) this.#isBroken = true
    else if (event === 'reply') this.#reply = replyOf(data)
    else this.#text += pieceOf(data)
  }
}
