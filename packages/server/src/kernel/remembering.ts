const MAX_REMEMBERED = 1000

/** Remembers what was made of as many texts as are likely to be busy at once. */
export const remembering = <T>(make: (text: string) => T): ((text: string) => T) => {
  const known = new Map<string, T>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    if (known.size >= MAX_REMEMBERED) known.clear()
    const made = make(text)
    known.set(text, made)
    return made
  }
}
