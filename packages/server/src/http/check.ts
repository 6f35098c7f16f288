/**
 * Checks input against the schemas of a route. Bodies are taken as they are, without what no schema names; text of paths
 * and queries is converted.
 */

import type { TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { badRequest, type ErrorDetails } from '../kernel/app-error.ts'
import { lazily } from '../kernel/lazily.ts'

interface Problem {
  readonly instancePath: string
  readonly keyword: string
  readonly message: string
  readonly params: object
}

const fieldOf = (path: string, fallback: string): string => path.slice(1).replaceAll('/', '.') || fallback

const wordsOf = (problem: Problem): string => {
  if (problem.keyword === 'enum' && 'allowedValues' in problem.params && Array.isArray(problem.params.allowedValues)) {
    return `must be one of ${problem.params.allowedValues.join(', ')}`
  }
  return problem.message
}

/** Of a body that may be left out: that it is there, and not as it should be, is told by what is wrong in it. */
const isOfAbsence = ({ keyword, params }: Problem): boolean =>
  (keyword === 'type' && 'type' in params && params.type === 'null') || keyword === 'anyOf'

const detailsOf = (problems: Iterable<Problem>, part: string): ErrorDetails => {
  const details: Record<string, string> = {}
  for (const problem of problems) {
    if (isOfAbsence(problem)) continue
    if (problem.keyword === 'required' && 'requiredProperties' in problem.params) {
      const at = problem.instancePath === '' ? '' : `${fieldOf(problem.instancePath, part)}.`
      for (const name of problem.params.requiredProperties as string[]) details[`${at}${name}`] ??= 'is required'
    } else {
      details[fieldOf(problem.instancePath, part)] ??= wordsOf(problem)
    }
  }
  return details
}

export type Check = (value: unknown) => unknown

interface Node {
  readonly properties?: Readonly<Record<string, Node>>
  readonly anyOf?: readonly Node[]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const whole: Check = (value) => value

/**
 * Leaves out what the schema does not name. Clients may send more than we take, and what they send must never be taken
 * for something of ours: handlers spread bodies into what they hand on.
 */
const onlyNamed = (schema: Node): Check => {
  // Of alternatives one is the object; the others hold nothing to leave out.
  const properties = schema.properties ?? schema.anyOf?.find((branch) => branch.properties !== undefined)?.properties
  if (properties === undefined) return whole
  const fields = new Map(Object.entries(properties).map(([name, node]) => [name, onlyNamed(node)]))
  return (value) => {
    // Most clients send only what is named: a copy is made for the others.
    if (!isObject(value) || Object.keys(value).every((name) => fields.get(name) === whole)) return value
    const named: Record<string, unknown> = {}
    for (const [name, pick] of fields) if (Object.hasOwn(value, name)) named[name] = pick(value[name])
    return named
  }
}

/** @param part how problems of the value as a whole are called: `body`, `query`, … */
export const makeCheck = (schema: TSchema | undefined, part: string): Check => {
  if (schema === undefined) return () => undefined
  const validator = lazily((): Validator => Compile(schema))
  const pick = onlyNamed(schema as Node)
  return (value) => {
    if (validator().Check(value)) return pick(value)
    throw badRequest(detailsOf(validator().Errors(value) as unknown as Problem[], part))
  }
}

type Raw = Readonly<Record<string, string | readonly string[] | undefined>>
type Converter = (texts: readonly string[]) => unknown

const last = (texts: readonly string[]): string => texts.at(-1) ?? ''

/** Text that is not of the type stays text, and fails the check with the right words. */
const converters: Readonly<Record<string, Converter>> = {
  integer: (texts) => (/^-?\d{1,15}$/.test(last(texts)) ? Number(last(texts)) : last(texts)),
  boolean: (texts) => {
    const text = last(texts).toLowerCase()
    if (text === 'true' || text === '1') return true
    return text === 'false' || text === '0' || text === '' ? false : last(texts)
  },
  array: (texts) => texts.flatMap((text) => text.split(',')).filter((text) => text !== ''),
}

/** As `key[]`, or as `key[0]`, `key[1]`, …, which is how PHP and others write lists. */
const listIn = (raw: Raw, name: string): readonly string[] | undefined => {
  const found = Object.entries(raw)
    .map(([key, value = []]) => ({
      at: key.startsWith(name) ? /^\[(\d{0,9})\]$/.exec(key.slice(name.length)) : null,
      value,
    }))
    .filter(({ at }) => at !== null)
    .sort((a, b) => Number(a.at?.[1]) - Number(b.at?.[1]))
  return found.length === 0 ? undefined : found.flatMap(({ value }) => value)
}

/**
 * Converts the text of a query by the types of its schema: `1` and `true`, `a,b` and repeated keys, `key[]`, `key[0]`.
 * Empty values are as if they were not there; what the schema does not name is left out.
 */
export const makeQueryCheck = (schema: TSchema | undefined): Check => {
  if (schema === undefined) return () => undefined
  const check = makeCheck(schema, 'query')
  const { properties = {} } = schema as { properties?: Record<string, { type?: string; default?: unknown }> }
  const fields = Object.entries(properties).map(([name, { type = 'string', default: initial }]) => ({
    name,
    initial,
    isList: type === 'array',
    convert: converters[type] ?? last,
  }))
  return (value) => {
    const raw = value as Raw
    const query: Record<string, unknown> = {}
    for (const { name, convert, initial, isList } of fields) {
      const given = raw[name] ?? (isList ? listIn(raw, name) : undefined)
      const texts = given === undefined ? [] : [given].flat()
      if (texts.length > 0 && (isList || last(texts) !== '')) query[name] = convert(texts)
      else if (initial !== undefined) query[name] = initial
    }
    return check(query)
  }
}
