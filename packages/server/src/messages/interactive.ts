/** Interactive messages: forms, cards, and what else clients draw from `data.interactiveData`. Pure. */
import type { StoredMessage } from './message.ts'

type JsonObject = Readonly<Record<string, unknown>>

const collect = (value: unknown, into: Set<string>): void => {
  if (Array.isArray(value)) for (const item of value) collect(item, into)
  else if (typeof value === 'object' && value !== null) {
    const { elementId } = value as JsonObject
    if (typeof elementId === 'string') into.add(elementId)
    for (const inner of Object.values(value)) collect(inner, into)
  }
}

const dataOf = ({ data }: Pick<StoredMessage, 'data'>): JsonObject => JSON.parse(data) as JsonObject

/** The elements that can be interacted with, wherever they stand. */
export const elementIdsOf = (message: Pick<StoredMessage, 'data'>): ReadonlySet<string> => {
  const found = new Set<string>()
  collect(dataOf(message).interactiveData, found)
  return found
}

/** With these elements used. A message without a goal has none to be reached. */
export const isGoalReached = (message: Pick<StoredMessage, 'data'>, used: ReadonlySet<string>): boolean => {
  const { type, elementIds = [] } = (dataOf(message).interactionGoal ?? {}) as { type?: string; elementIds?: string[] }
  if (type === 'anyAction') return used.size > 0
  if (type === 'anyOf') return elementIds.some((id) => used.has(id))
  return type === 'allOf' && elementIds.length > 0 && elementIds.every((id) => used.has(id))
}

export const maySenderInteract = (message: Pick<StoredMessage, 'data'>): boolean =>
  dataOf(message).allowSenderInteraction === true
