import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { describe, expect, test } from 'vitest'
import { sampleOf } from '../../test/support/cases.ts'
import { nameOf, routes } from '../../test/support/routes.ts'
import { expanded, pointedAt } from '../testing/described.ts'
import { openApiOf } from './openapi.ts'
import { LINES, type Route } from './route.ts'

// biome-ignore lint/suspicious/noExplicitAny: the test looks for what should be there
type Json = any

const description: Json = JSON.parse(JSON.stringify(openApiOf(routes, { version: '1.2.3' })))

const every = (value: unknown, visit: (node: Readonly<Record<string, unknown>>) => void): void => {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) visit(value as Readonly<Record<string, unknown>>)
  for (const inner of Object.values(value)) every(inner, visit)
}

const described: readonly { key: string; route: Route; operation: Json }[] = routes.map((route) => {
  const [method = '', path = ''] = `${route.method} ${route.path.replace(/:(\w+)/g, '{$1}')}`.split(' ')
  return { key: nameOf(route), route, operation: description.paths[path]?.[method.toLowerCase()] }
})

describe('the description of the API', () => {
  test('describes every route, and no other', () => {
    expect(description.openapi).toMatch(/^3\.1\./)
    expect(described.filter(({ operation }) => operation === undefined)).toEqual([])
    const operations = Object.values(description.paths).flatMap((methods) => Object.keys(methods as object))
    expect(operations).toHaveLength(routes.length)
    const ids = described.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(routes.length)
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/)
  })

  test('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    const used = new Set<unknown>()
    every(description, ({ $ref }) => {
      if ($ref !== undefined) used.add($ref)
    })
    expect([...used].filter((pointer) => pointedAt(description, pointer) === undefined)).toEqual([])
    const defined = Object.keys(description.components.schemas).map((name) => `#/components/schemas/${name}`)
    expect(defined.filter((pointer) => !used.has(pointer))).toEqual([])
  })

  test.each(described)('$key: parameters, body and answer', ({ route, operation }) => {
    const named = (where: string): Json[] => operation.parameters.filter((one: Json) => one.in === where)
    const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name)
    expect(named('path').map(({ name }) => name)).toEqual(inPath)
    expect(named('path').every(({ required }) => required === true)).toBe(true)
    const inQuery = Object.keys((route.query as { properties?: object } | undefined)?.properties ?? {})
    expect(named('query').map(({ name }) => name)).toEqual(inQuery)
    const names = operation.parameters.map((one: Json) => `${one.in} ${one.name}`)
    expect(new Set(names).size).toBe(names.length)
    const actor = named('header').find(({ name }) => name === 'onBehalfOf')
    expect(actor?.required).toBe({ none: undefined, optional: false, required: true }[route.onBehalfOf])
    expect(operation.requestBody === undefined).toBe(route.body === undefined && !route.takesLines)
    for (const parameter of operation.parameters) Compile(expanded(description, parameter.schema) as TSchema)
    const body = operation.requestBody?.content['application/json']?.schema
    if (route.body !== undefined) {
      const check = Compile(expanded(description, body) as TSchema)
      expect(check.Check(sampleOf(route.body as Parameters<typeof sampleOf>[0]))).toBe(true)
      expect(check.Check(17)).toBe(false)
      expect(operation.requestBody.required).toBe(!Compile(route.body).Check(null))
    }
    const streamed = route.takesLines ? LINES : 'text/event-stream'
    const type = route.isStream || route.takesLines ? streamed : 'application/json'
    if (route.takesLines) expect(operation.requestBody.content).toHaveProperty([LINES])
    const answer = Compile(expanded(description, operation.responses[200].content[type].schema) as TSchema)
    expect(answer.Check({ error: {} })).toBe(false)
    expect(operation.responses.default.content['application/json'].schema.$ref).toBe('#/components/schemas/Error')
  })
})
