/** Schemas in words: what a reader of the contract page sees of them. */
import * as protocol from '@confab/protocol'

/** What of JSON Schema our schemas use. */
export interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly description?: string
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && ('properties' in value || 'anyOf' in value)

/** Two names for one schema: the later one stands for a role that it plays, not for a shape. */
const nameOfJson = new Map<string, string>()
for (const [name, schema] of Object.entries(protocol)) {
  if (isSchema(schema) && name !== 'BannedUser') nameOfJson.set(JSON.stringify(schema), name)
}

/** The name under which the protocol exports it. */
export const nameOf = (schema: Schema): string | undefined => nameOfJson.get(JSON.stringify(schema))

export const code = (text: string): string => `\`${text}\``
export const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '\\<')
const link = (name: string): string => `[${name}](#${name.toLowerCase()})`

/** A shape that is told by its properties, where it stands. */
export const INLINE = 'Success'

const isNull = ({ type }: Schema): boolean => type === 'null'

/** Of alternatives with nothing, the something. */
export const bodyOf = (schema: Schema): { shape: Schema; mayBeLeftOut: boolean } => {
  const others = schema.anyOf?.filter((branch) => !isNull(branch)) ?? []
  const [only] = others
  return others.length === 1 && only !== undefined && others.length !== schema.anyOf?.length
    ? { shape: only, mayBeLeftOut: true }
    : { shape: schema, mayBeLeftOut: false }
}

const objectWords = ({ properties = {}, required = [] }: Schema): string =>
  `{${Object.entries(properties)
    .map(([name, inner]) => `${name}${required.includes(name) ? '' : '?'}: ${typeWords(inner)}`)
    .join(', ')}}`

/** The type, with links to shapes that have a name. */
export const typeWords = (schema: Schema): string => {
  const name = nameOf(schema)
  if (name !== undefined && name !== INLINE) return link(name)
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(' or ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeWords).join(' or ')
  if (schema.allOf !== undefined) return schema.allOf.map(typeWords).join(' and ')
  if (schema.items !== undefined) return `list of ${typeWords(schema.items)}`
  if (schema.properties !== undefined) return objectWords(schema)
  const [values] = Object.values(schema.patternProperties ?? {})
  if (values !== undefined && Object.keys(values).length > 0) return `object of ${typeWords(values)}`
  return schema.type ?? 'JSON'
}

const between = (least: number | undefined, most: number | undefined, what: string): string | undefined => {
  const noun = what === '' ? '' : ` ${what}`
  if (most === undefined) return least === undefined ? undefined : `at least ${least}${noun}`
  return least === undefined || least === 0 ? `at most ${most}${noun}` : `${least} to ${most}${noun}`
}

/** Patterns that have words of their own; others are shown as they are. */
const PATTERNS: Readonly<Record<string, string>> = {
  '^[A-Za-z0-9_-]+$': 'letters, digits, `_` and `-`',
  '^[A-Za-z][A-Za-z0-9+.-]*:\\S+$': 'begins with a scheme, without white space',
  '\\S': 'not only white space',
}

const patternWords = (pattern: string | undefined): string | undefined =>
  pattern === undefined ? undefined : (PATTERNS[pattern] ?? `matches ${code(pattern)}`)

/** Bounds of the value, and of each item of a list. */
export const limitWords = (schema: Schema): string => {
  const own = [
    between(schema.minLength, schema.maxLength, 'characters'),
    between(schema.minItems, schema.maxItems, 'items'),
    between(schema.minimum, schema.maximum, ''),
    patternWords(schema.pattern),
    schema.default === undefined ? undefined : `default ${code(String(schema.default))}`,
  ].filter((words) => words !== undefined)
  const ofItems = schema.items === undefined ? '' : limitWords(schema.items)
  return [...own, ...(ofItems === '' ? [] : [`each ${ofItems}`])].join('; ')
}

export interface Field {
  /** With dots. */
  readonly name: string
  readonly required: boolean
  readonly schema: Schema
}

const ownFields = (schema: Schema): Schema =>
  schema.properties === undefined ? (schema.allOf?.find(({ properties }) => properties !== undefined) ?? {}) : schema

/** The fields of a shape and those of objects in it that have no name of their own. */
export const fieldsOf = (schema: Schema, path = ''): Field[] => {
  const { properties = {}, required = [] } = ownFields(schema)
  return Object.entries(properties).flatMap(([name, inner]): Field[] => {
    const field = { name: path + name, required: required.includes(name), schema: inner }
    return nameOf(inner) === undefined ? [field, ...fieldsOf(inner, `${path}${name}.`)] : [field]
  })
}
