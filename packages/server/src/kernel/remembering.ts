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

/** The same of objects that nobody can change; of others it is made each time. */
export const rememberingFrozen = <K extends object, T>(make: (from: K) => T): ((from: K) => T) => {
  const known = new WeakMap<K, T>()
  return (from) => {
    if (!Object.isFrozen(from)) return make(from)
    const found = known.get(from)
    if (found !== undefined) return found
    const made = make(from)
    known.set(from, made)
    return made
  }
}
