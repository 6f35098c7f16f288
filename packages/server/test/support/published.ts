/**
 * The description that the vendor of the contract has published, if it is there: `CONFAB_TEST_PUBLISHED_API` names the folder, by
 * default `../shared/reference` beside the checkout. Nothing of it is kept here.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Json } from './api.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const folder = process.env.CONFAB_TEST_PUBLISHED_API || join(root, '../shared/reference')
const files = ['chat-apis-2023', 'import-apis-2023', 'analytics-apis-2023', 'management-apis-2023'].map((name) =>
  join(folder, `${name}.openapi.json`),
)
/** Of the management of apps only their webhooks are ours: apps are made by the command line. */
const isOurs = ({ path }: Operation): boolean => !path.startsWith('/apps') || path.includes('/webhooks')

export const missingDescription: string | undefined = files.every((file) => existsSync(file))
  ? undefined
  : `the published description is not in ${folder}: set CONFAB_TEST_PUBLISHED_API`

export const isRequired = (process.env.CONFAB_TEST_REQUIRE ?? '')
  .split(',')
  .some((required) => required.trim() === 'published')

export interface Operation {
  /** As in `GET /users/{uid}`. */
  readonly name: string
  readonly method: string
  readonly path: string
  readonly query: readonly Json[]
  readonly bodySchema: Json
  /** What it shows as its answer. */
  readonly example: Json
  /** What it says its answer is. */
  readonly answer: Shape
}

/** A schema as it is meant: references followed, and what stands under an empty name in the place of its owner. */
export interface Shape {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  /** Of an object whose keys are ids: what each of its values is. */
  readonly values?: Shape
}

const shapeOf = (document: Json, schema: Json): Shape => {
  if (schema.$ref) return shapeOf(document, document.components.schemas[schema.$ref.split('/').at(-1)])
  const parts: Shape[] = (schema.allOf ?? []).map((one: Json) => shapeOf(document, one))
  const named: Record<string, Shape> = Object.assign({}, ...parts.map((one) => one.properties))
  let values: Shape | undefined
  for (const [name, inner] of Object.entries<Json>(schema.properties ?? {})) {
    const shape = shapeOf(document, inner)
    if (name === '') Object.assign(named, shape.properties)
    else if (name.startsWith('<')) values = shape
    else named[name] = shape
  }
  return {
    ...(schema.type && { type: schema.type }),
    ...(Object.keys(named).length > 0 && { properties: named }),
    ...(schema.items && { items: shapeOf(document, schema.items) }),
    ...(values && { values }),
  }
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** Some examples stand in a list of one, with all that wraps them. */
const unwrapped = (example: Json): Json => {
  if (Array.isArray(example)) return example[0]
  const inner = Array.isArray(example.data) ? example.data[0]?.data : undefined
  return typeof inner?.id === 'string' ? { data: inner } : example
}

const operationsIn = (document: Json): Operation[] =>
  Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method] !== undefined).map((method) => {
      const operation = methods[method]
      const parameters = (operation.parameters ?? []).map((one: Json) =>
        one.$ref ? document.components.parameters[one.$ref.split('/').at(-1)] : one,
      )
      return {
        name: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        query: parameters.filter((one: Json) => one.in === 'query'),
        bodySchema: operation.requestBody?.content['application/json']?.schema,
        example: unwrapped(operation.responses['200'].content['application/json'].example),
        answer: shapeOf(document, operation.responses['200'].content['application/json'].schema),
      }
    }),
  )

export const publishedOperations: readonly Operation[] =
  missingDescription === undefined
    ? files.flatMap((file) => operationsIn(JSON.parse(readFileSync(file, 'utf8')))).filter(isOurs)
    : []

// What is to be there ---------------------------------------------------------------------------------------------

const typeOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'array'
  return value === null ? 'null' : typeof value
}

/** What is the customer's own in an example has no fields that we know. */
const OWN = new Set(['metadata', 'customData', 'rawMetadata'])

/**
 * The fields of the example that the answer does not have, or has of another type. `maps` are objects whose keys are ids: of
 * these, the values are compared. Of lists, the first of each.
 */
export const lacking = (example: Json, answer: Json, maps: ReadonlySet<string>, path = ''): string[] => {
  if (typeOf(example) !== typeOf(answer)) return [`${path}: ${typeOf(example)}, not ${typeOf(answer)}`]
  if (Array.isArray(example)) {
    if (example.length === 0) return []
    return answer.length === 0 ? [`${path}: is empty`] : lacking(example[0], answer[0], maps, `${path}[]`)
  }
  if (typeOf(example) !== 'object') return []
  if (maps.has(path)) {
    const [first, ours] = [Object.values(example)[0], Object.values(answer)[0]]
    return ours === undefined ? [`${path}: is empty`] : lacking(first, ours, maps, `${path}.*`)
  }
  return Object.entries(example).flatMap(([key, value]) => {
    const inner = path === '' ? key : `${path}.${key}`
    if (!Object.hasOwn(answer, key)) return [inner]
    return OWN.has(key) ? [] : lacking(value, answer[key], maps, inner)
  })
}

const isOf = (type: string, value: unknown): boolean =>
  type === 'integer' ? Number.isInteger(value) : typeOf(value) === type

/**
 * The fields that the schema names and the answer does not have, or has of another type. Where the example has a field of
 * another type than the schema says, the example is right: the schema is written by hand.
 */
export const lackingOf = (shape: Shape, answer: Json, example: Json, path = ''): string[] => {
  const { type, properties, items = shape, values } = shape
  if (Array.isArray(answer) && (type === 'array' || Array.isArray(example))) {
    if (answer.length === 0) return [`${path}: is empty`]
    return items === shape && type === 'array' ? [] : lackingOf(items, answer[0], example?.[0], `${path}[]`)
  }
  if (type !== undefined && !isOf(type, answer)) {
    return typeOf(example) === typeOf(answer) ? [] : [`${path}: ${type}, not ${typeOf(answer)}`]
  }
  if (values !== undefined) {
    const [ours, theirs] = [Object.values(answer)[0], Object.values(example ?? {})[0]]
    return ours === undefined ? [`${path}: is empty`] : lackingOf(values, ours, theirs, `${path}.*`)
  }
  return Object.entries(properties ?? {}).flatMap(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`
    if (!Object.hasOwn(answer, key)) return [at]
    return OWN.has(key) ? [] : lackingOf(inner, answer[key], example?.[key], at)
  })
}
