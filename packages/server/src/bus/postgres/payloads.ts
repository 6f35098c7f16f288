/**
 * How messages travel in notifications. A batch is one JSON text, cut into as many payloads as it needs, since
 * PostgreSQL refuses payloads of 8000 bytes. Each begins with `batch part parts `: so a batch that was not heard
 * from its beginning is recognised, and no two payloads of a transaction are equal (PostgreSQL would deliver them once).
 */

export interface Envelope {
  readonly subject: string
  readonly message: string
}

/** Leaves room for the three numbers. */
const CHUNK_BYTES = 7900

/** Where a chunk that starts at `from` ends: never within a character. */
const chunkEnd = (bytes: Buffer, from: number): number => {
  let end = Math.min(from + CHUNK_BYTES, bytes.length)
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return end
}

export const toPayloads = (batch: number, envelopes: readonly Envelope[]): string[] => {
  const bytes = Buffer.from(JSON.stringify(envelopes))
  const chunks: string[] = []
  for (let from = 0; from < bytes.length; ) {
    const end = chunkEnd(bytes, from)
    chunks.push(bytes.toString('utf8', from, end))
    from = end
  }
  return chunks.map((chunk, part) => `${batch} ${part} ${chunks.length} ${chunk}`)
}

const isEnvelope = (value: unknown): value is Envelope =>
  typeof value === 'object' &&
  value !== null &&
  'subject' in value &&
  typeof value.subject === 'string' &&
  'message' in value &&
  typeof value.message === 'string'

const parseEnvelopes = (text: string): Envelope[] | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every(isEnvelope) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * Puts batches together again. PostgreSQL delivers the notifications of a transaction one after the other, so at most
 * one batch is incomplete at any time.
 */
export class Assembly {
  #sender = 0
  #batch = ''
  #chunks: string[] = []

  /** What is complete with this payload. `undefined`: it is none of ours, or its batch was not heard from the start. */
  add(sender: number, payload: string): readonly Envelope[] | undefined {
    const [head, batch = '', part, parts] = /^(\d+) (\d+) (\d+) /.exec(payload) ?? []
    if (head === undefined) return undefined
    if (part === '0') {
      this.#sender = sender
      this.#batch = batch
      this.#chunks = []
    }
    const continues = sender === this.#sender && batch === this.#batch && Number(part) === this.#chunks.length
    if (!continues) return undefined
    this.#chunks.push(payload.slice(head.length))
    if (this.#chunks.length < Number(parts)) return []
    const text = this.#chunks.join('')
    this.#chunks = []
    return parseEnvelopes(text)
  }
}
