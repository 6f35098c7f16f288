/**
 * Tables of what comes and goes: calls under way, lanes at work.
 *
 * A `Map` or `Set` makes itself a new table every few hundred changes, and the old one keeps a pointer to it. Once one
 * of these tables has grown old, the collector of young objects takes all that come after it for alive, with whatever
 * was in them: each collection then moves everything under way to where only a full collection finds it dead. Here a place
 * is used again, and nothing old points to anything young that is over. See docs/decisions/0026.
 */

/** Items by the number of their place, which is free again when the item is taken. */
export class Slots<T extends object> {
  readonly #items: (T | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#items.length - this.#free.length
  }

  /** @returns its place */
  add(item: T): number {
    const slot = this.#free.pop() ?? this.#items.length
    this.#items[slot] = item
    return slot
  }

  at(slot: number): T | undefined {
    return this.#items[slot]
  }

  /** @returns what was there, if anything */
  take(slot: number): T | undefined {
    const item = this.#items[slot]
    if (item === undefined) return undefined
    this.#items[slot] = undefined
    this.#free.push(slot)
    return item
  }

  /** In no particular order. Reads on while it is gone through: take what you want to keep before you change anything. */
  *[Symbol.iterator](): Iterator<T> {
    for (const item of this.#items) if (item !== undefined) yield item
  }
}

/** Items by keys. Only keys and numbers are in the `Map` behind it: what is left of its old tables keeps nothing alive. */
export class YoungMap<K extends string | number, T extends object> {
  readonly #slots = new Map<K, number>()
  readonly #items = new Slots<T>()

  get size(): number {
    return this.#slots.size
  }

  has(key: K): boolean {
    return this.#slots.has(key)
  }

  get(key: K): T | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#items.at(slot)
  }

  /** @throws if there is one under this key */
  add(key: K, item: T): void {
    if (this.#slots.has(key)) throw new Error(`there is something under ${key} already`)
    this.#slots.set(key, this.#items.add(item))
  }

  delete(key: K): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    this.#items.take(slot)
  }

  /** In no particular order. */
  values(): Iterable<T> {
    return this.#items
  }
}
