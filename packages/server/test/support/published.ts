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
const files = ['chat-apis-2023', 'import-apis-2023', 'analytics-apis-2023'].map((name) =>
  join(folder, `${name}.openapi.json`),
)

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
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

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
        example: operation.responses['200'].content['application/json'].example,
      }
    }),
  )

export const publishedOperations: readonly Operation[] =
  missingDescription === undefined ? files.flatMap((file) => operationsIn(JSON.parse(readFileSync(file, 'utf8')))) : []

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
