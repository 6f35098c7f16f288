/** Wrong input, made from the schemas of the table of routes: what a route takes decides what it must refuse. */
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'

/** What of JSON Schema our schemas use. */
interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
}

export interface BadValue {
  readonly what: string
  /** The value as a whole. */
  readonly value: unknown
  /** What the answer must complain about; the part as a whole where it is missing. */
  readonly field?: string
}

type JsonObject = Record<string, unknown>

const seen = (schema: TSchema): Schema => schema as Schema

/** Of alternatives, the object: the others are null, for bodies that may be left out. */
const objectOf = (schema: Schema): Schema | undefined =>
  schema.properties === undefined ? schema.anyOf?.find(({ properties }) => properties !== undefined) : schema

const texts = ['sample', 'https://sample.example/x', '1']

/** A value that the schema takes, with what it requires and nothing else. */
export const sampleOf = (schema: Schema): unknown => {
  const object = objectOf(schema)
  if (object !== undefined) {
    const { properties = {}, required = [] } = object
    return Object.fromEntries(required.map((name) => [name, sampleOf(properties[name] ?? {})]))
  }
  if (schema.enum !== undefined) return schema.enum[0]
  if (schema.anyOf?.[0] !== undefined) return sampleOf(schema.anyOf[0])
  if (schema.type === 'string') return texts.find((text) => new RegExp(schema.pattern ?? '').test(text))
  if (schema.type === 'array') return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items ?? {}))
  return { integer: schema.minimum ?? 0, boolean: true, null: null }[schema.type ?? ''] ?? {}
}

const OF_EVERY_TYPE: readonly unknown[] = [null, true, 17, 1.5, -1, 1e308, 'x', '', [], [null], {}, { x: [] }]

/** Wrong at one place: the type, or a bound of it. */
const wrongFor = (schema: Schema): unknown[] => {
  const { items, maxItems, maxLength, maximum, minimum, pattern } = schema
  const item = items === undefined ? 'x' : sampleOf(items)
  const candidates = [
    ...OF_EVERY_TYPE,
    ...(maxLength === undefined ? [] : ['x'.repeat(maxLength + 1), `https://${'x'.repeat(maxLength)}`]),
    ...(pattern === undefined ? [] : ['no such thing', 'ü', '../..', '<script>', ' ', "' OR 1=1 --"]),
    ...(schema.enum === undefined ? [] : ['nonsense', '__proto__', 'constructor']),
    ...(maxItems === undefined ? [] : [Array(maxItems + 1).fill(item)]),
    ...(maximum === undefined ? [] : [maximum + 1]),
    ...(minimum === undefined ? [] : [minimum - 1, Number.MIN_SAFE_INTEGER]),
    ...(items === undefined ? [] : wrongFor(items).map((wrong) => [wrong])),
  ]
  const { Check } = compiled(schema)
  return candidates.filter((value) => !Check(value))
}

const compiled = (schema: Schema): { Check: (value: unknown) => boolean } => {
  const validator = Compile(schema as TSchema)
  return { Check: (value) => validator.Check(value) }
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 37)}…` : text
}

const wrongIn = (schema: Schema, path: string): { what: string; field: string; put: (into: JsonObject) => void }[] =>
  Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const field = `${path}${name}`
    const here = wrongFor(property).map((value) => ({
      what: `${field}: ${shown(value)}`,
      field,
      put: (into: JsonObject) => {
        into[name] = value
      },
    }))
    const inner = objectOf(property)
    if (inner === undefined) return here
    const deeper = wrongIn(inner, `${field}.`).map(({ put, ...rest }) => ({
      ...rest,
      put: (into: JsonObject) => {
        const value = sampleOf(inner) as JsonObject
        put(value)
        into[name] = value
      },
    }))
    return [...here, ...deeper]
  })

/** Bodies that the route must refuse with `ERR_BAD_REQUEST`. */
export const badBodies = (bodySchema: TSchema | undefined): BadValue[] => {
  if (bodySchema === undefined) return []
  const schema = seen(bodySchema)
  const { Check } = compiled(schema)
  const whole = [[], [{}], 'text', 17, true, null].filter((value) => !Check(value))
  const object = objectOf(schema)
  if (object === undefined) throw new Error('a body that is no object')
  return [
    ...whole.map((value) => ({ what: `the body is ${shown(value)}`, value })),
    ...(object.required ?? []).map((name) => {
      const { [name]: _missing, ...value } = sampleOf(object) as JsonObject
      return { what: `without ${name}`, value, field: name }
    }),
    ...wrongIn(object, '').map(({ what, field, put }) => {
      const value = sampleOf(object) as JsonObject
      put(value)
      return { what, field, value }
    }),
  ]
}

const WRONG_TEXTS: Readonly<Record<string, readonly string[]>> = {
  integer: ['abc', '1.5', '1e3', '0x10', '-', 'NaN', '99999999999999999999', '१', '1 2', 'null'],
  boolean: ['maybe', '2', 'yes', 'null', '{}'],
}

/** Values of one parameter of a query that the route must refuse. */
export const badQueries = (querySchema: TSchema | undefined): { what: string; name: string; text: string }[] =>
  Object.entries((querySchema && seen(querySchema).properties) ?? {}).flatMap(([name, property]) => {
    const { items, maxItems = 0, maxLength, maximum, minimum, pattern, type = '' } = property
    const candidates = [
      ...(WRONG_TEXTS[type] ?? []),
      ...(minimum === undefined ? [] : [String(minimum - 1), '-9007199254740993']),
      ...(maximum === undefined ? [] : [String(maximum + 1), '999999999999999']),
      ...(maxLength === undefined ? [] : ['x'.repeat(maxLength + 1)]),
      ...(pattern === undefined ? [] : ['no such thing', '__proto__']),
      ...(property.enum === undefined ? [] : ['nonsense', '__proto__']),
      ...(type === 'array' && maxItems > 0
        ? [
            Array(maxItems + 1)
              .fill('x')
              .join(','),
          ]
        : []),
      ...(items?.enum === undefined ? [] : ['nonsense']),
      ...(items?.maxLength === undefined ? [] : ['x'.repeat(items.maxLength + 1)]),
    ]
    return candidates.map((text) => ({ what: `?${name}=${text.slice(0, 40)}`, name, text }))
  })

/** Names that nothing can have. All are one segment of a path. */
export const BAD_NAMES: readonly string[] = [
  'nobody-here',
  'x'.repeat(500),
  'x'.repeat(2000),
  '%F0%9F%98%80',
  '%E0%A4%A',
  '%zz',
  '%00',
  'x%00y',
  '%0d%0aset-cookie:x',
  '%20',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '__proto__',
  'constructor',
  "'%20OR%20'1'='1",
  '%25',
  '%ff%fe',
  '-1',
  '0',
  '1.5',
  '99999999999999999999999',
  '9007199254740993',
  'NaN',
  '%3Cscript%3E',
  '%ED%A0%80',
]

export const nested = (depth: number, open = '{"a":', close = '}', inner = '1'): string =>
  open.repeat(depth) + inner + close.repeat(depth)
