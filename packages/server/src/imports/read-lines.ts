/** Bytes, as they come, to lines of text. Holds no more than one chunk and one line. */
import { limits } from '@confab/protocol'

export interface Line {
  /** From 1. */
  readonly number: number
  /** Undefined: it is longer than a line may be, or no UTF-8. */
  readonly text: string | undefined
}

const NEWLINE = 10
const decoder = new TextDecoder('utf-8', { fatal: true })

const decoded = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

class Lines {
  #number = 0
  #parts: Uint8Array[] = []
  #size = 0

  /** The lines that end within the chunk. */
  take(chunk: Uint8Array): Line[] {
    const ended: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end))
      ended.push(this.#end())
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return ended
  }

  /** What comes after the last newline, if there is something. */
  last(): Line[] {
    return this.#size > 0 ? [this.#end()] : []
  }

  #keep(part: Uint8Array): void {
    this.#size += part.length
    if (this.#size > limits.importLineBytes) this.#parts = []
    else if (part.length > 0) this.#parts.push(part)
  }

  #end(): Line {
    const isTooLong = this.#size > limits.importLineBytes
    const text = isTooLong ? undefined : decoded(Buffer.concat(this.#parts))
    this.#parts = []
    this.#size = 0
    return { number: ++this.#number, text }
  }
}

/** The lines of each chunk together; those without anything are counted, and left out. */
export async function* readLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Line[]> {
  const lines = new Lines()
  const hasText = ({ text }: Line): boolean => text === undefined || text.trim() !== ''
  for await (const chunk of source) yield lines.take(chunk).filter(hasText)
  yield lines.last().filter(hasText)
}
