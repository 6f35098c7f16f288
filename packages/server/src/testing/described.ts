/** An OpenAPI document as tests read it. */

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into wherever a test wants to
type Json = any

/** What `#/a/b` names. */
export const pointedAt = (description: Json, pointer: unknown): unknown =>
  String(pointer)
    .split('/')
    .slice(1)
    .reduce((node: Json, key) => node?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], description)

/** The schema with what it refers to in place: checked values refer to nothing. */
export const expanded = (description: Json, schema: Json): Json => {
  if (Array.isArray(schema)) return schema.map((inner) => expanded(description, inner))
  if (typeof schema !== 'object' || schema === null) return schema
  if ('$ref' in schema) return expanded(description, pointedAt(description, schema.$ref))
  return Object.fromEntries(Object.entries(schema).map(([key, inner]) => [key, expanded(description, inner)]))
}
