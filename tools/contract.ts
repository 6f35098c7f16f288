/**
 * `docs/reference/contract.md`: what is in the code is generated (the table of routes, the schemas, the errors of each
 * operation); what only people can say stands in `contract-notes.md` beside this file, and is put into the page as it is,
 * with `{name}` for the limits that it names.
 */
import { readFileSync } from 'node:fs'
import { defaultLimits, limits, rolePermissions, scopePermissions } from '@confab/protocol'
import { routeTable } from '../packages/server/src/api.ts'
import { parseConfig } from '../packages/server/src/config/parse.ts'
import { LINES, type Route } from '../packages/server/src/http/route.ts'
import { features } from '../packages/server/src/roles/features.ts'
import type { Store } from '../packages/server/src/storage/store.ts'
import { contentErrors, ownErrors } from './contract-errors.ts'
import { bodyOf, cell, code, fieldsOf, INLINE, limitWords, nameOf, type Schema, typeWords } from './contract-schema.ts'

/** The table of routes; nothing of it is called, so it needs no store. */
export const allRoutes = (): readonly Route[] => {
  const parsed = parseConfig({ env: {}, flags: {}, defaults: {} })
  if (!parsed.ok) throw new Error('the defaults of the configuration are not valid')
  return routeTable(parsed.config, {} as Store)
}

const keyOf = ({ method, path }: Route): string => `${method} ${path}`

const assertSameRoutes = (routes: readonly Route[]): void => {
  const known = new Set(routes.map(keyOf))
  const without = [...known].filter((key) => ownErrors[key] === undefined)
  const gone = Object.keys(ownErrors).filter((key) => !known.has(key))
  if (without.length > 0) throw new Error(`tools/contract-errors.ts has no row for ${without.join(', ')}`)
  if (gone.length > 0) throw new Error(`tools/contract-errors.ts has rows for routes that are gone: ${gone.join(', ')}`)
}

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]): string => `| ${cells.map((text) => text || '–').join(' | ')} |`
  return [line(heads), `|${heads.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

// Shapes ----------------------------------------------------------------------------------------------------------

/** Fields whose schema takes anything, because their rules have codes of their own. */
const RULES_ELSEWHERE: Readonly<Record<string, string>> = {
  'SendMessage.data': 'object; [its rules](#what-a-message-holds)',
  'SendMessage.receiverType': '`user` or `group`',
  'SendMessage.category': '`message`, `custom` or `interactive`; default `message`',
  'SendMessage.type': 'string; default `text`',
  'EditMessage.data': 'object; [its rules](#what-a-message-holds)',
}

/** What is taken has limits; what is answered has none that anybody must know. */
const shapeSection = (kind: 'taken' | 'answered', name: string, schema: Schema): string => {
  const fields = fieldsOf(schema)
  const rows = fields.map(({ name: field, required, schema: inner }) => {
    const hasOwnRows = fields.some((other) => other.name.startsWith(`${field}.`))
    const type = RULES_ELSEWHERE[`${name}.${field}`] ?? (hasOwnRows ? 'object' : typeWords(inner))
    const limit = kind === 'taken' ? [limitWords(inner)] : []
    return [code(field), required ? 'yes' : '', type, ...limit, inner.description ?? ''].map(cell)
  })
  const heads =
    kind === 'taken' ? ['Field', 'Required', 'Type', 'Limits', 'Meaning'] : ['Field', 'Always', 'Type', 'Meaning']
  return `### ${name}\n\n${table(heads, rows)}`
}

/** Every shape with a name that the schema refers to, itself included, in order of appearance. */
const namedIn = (schema: Schema, found: Map<string, Schema>): void => {
  const name = nameOf(schema)
  if (name !== undefined) {
    if (found.has(name)) return
    found.set(name, schema)
  }
  const { anyOf = [], allOf = [], properties = {}, patternProperties = {}, items } = schema
  for (const inner of [...anyOf, ...allOf, ...Object.values(properties), ...Object.values(patternProperties)])
    namedIn(inner, found)
  if (items !== undefined) namedIn(items, found)
}

// Routes ----------------------------------------------------------------------------------------------------------

const shownPath = (path: string): string => path.replace(/:(\w+)/g, '{$1}')

const ON_BEHALF_OF = { none: '–', optional: 'may', required: 'must' } as const

const inputsOf = (route: Route): string => {
  const path = [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => code(name))
  const parts = [
    ...(path.length > 0 ? [`path ${path.join(', ')}`] : []),
    ...(route.query ? [`query ${typeWords(route.query as Schema)}`] : []),
    ...(route.body
      ? [
          `body ${typeWords(route.body as Schema)}${bodyOf(route.body as Schema).mayBeLeftOut ? ', may be left out' : ''}${route.takesForm ? ', or [a form](#a-message-with-its-files)' : ''}`,
        ]
      : []),
    ...(route.takesLines ? [`body ${code(LINES)}: any number of lines`] : []),
  ]
  return parts.join('; ')
}

/** The family of content errors is long, and said once. */
const errorsOf = (route: Route): string => {
  const errors = ownErrors[keyOf(route)] ?? []
  const hasAll = contentErrors.every((one) => errors.includes(one))
  const shown = hasAll ? errors.filter((one) => !contentErrors.some((other) => other === one)) : errors
  const words = shown.map(code)
  if (hasAll) words.push('those of [the content](#what-a-message-holds)')
  return words.join(', ')
}

const rowOf = (route: Route): string[] => [
  `${code(`${route.method} ${shownPath(route.path)}`)}<br>${cell(route.summary)}`,
  (route.access === 'authOnly' ? 'any' : code('fullAccess')) + (route.forUsers ? ' or token' : ''),
  ON_BEHALF_OF[route.onBehalfOf],
  cell(inputsOf(route)),
  cell(typeWords(route.answer as Schema)),
  errorsOf(route),
]

/** Each area with the shapes that it takes, unless an earlier one has shown them. */
const areas = (routes: readonly Route[]): string => {
  const shown = new Set<string>()
  return [...new Set(routes.map(({ tag }) => tag))]
    .map((tag) => {
      const own = routes.filter((route) => route.tag === tag)
      const shapes = new Map<string, Schema>()
      for (const schema of own.flatMap(({ query, body }) => [query, body]))
        if (schema !== undefined) namedIn(schema as Schema, shapes)
      const fresh = [...shapes].filter(([name]) => !shown.has(name))
      for (const [name] of fresh) shown.add(name)
      const heads = ['Route', 'Key', 'onBehalfOf', 'Takes', 'Answers', 'Errors of its own']
      const sections = fresh.map(([name, schema]) => shapeSection('taken', name, bodyOf(schema).shape))
      return [`## ${tag}`, table(heads, own.map(rowOf)), ...sections].join('\n\n')
    })
    .join('\n\n')
}

const objects = (routes: readonly Route[]): string => {
  const shapes = new Map<string, Schema>()
  for (const { answer } of routes) namedIn(answer as Schema, shapes)
  shapes.delete(INLINE)
  return [...shapes].map(([name, schema]) => shapeSection('answered', name, schema)).join('\n\n')
}

// What roles may be kept from --------------------------------------------------------------------------------------

const featureSection = (routes: readonly Route[]): string => {
  const served = new Set(routes.map(keyOf))
  const rows = Object.entries(features).map(([key, { title, routes: closed }]) => {
    const words = closed.filter((route) => served.has(route)).map((route) => code(shownPath(route)))
    return [code(`u.${key}`), title, words.join(', ') || 'nothing yet']
  })
  return `## Features that a role may be kept from\n\n${table(['Key', 'Title', 'Closes'], rows)}`
}

const permissionSection = (): string => {
  const tables = { 'of a role': rolePermissions, 'of a scope in a group': scopePermissions }
  const parts = Object.entries(tables).map(([whose, permissions]) => {
    const rows = Object.entries(permissions).map(([id, { title, dataType, values }]) => {
      const words = values.length === 0 ? 'texts' : values.map(code).join(', ')
      return [code(id), dataType === 'string' ? words : `list of ${words}`, title]
    })
    return `### Permissions ${whose}\n\n${table(['Permission', 'Values', 'Meaning'], rows)}`
  })
  return `## Every permission\n\n${parts.join('\n\n')}`
}

// Page ------------------------------------------------------------------------------------------------------------

const KIB = 1024
/** What the notes may name. */
const values: Readonly<Record<string, number>> = {
  ...limits,
  ...defaultLimits,
  metadataKiB: defaultLimits.metadataBytes / KIB,
  messageDataKiB: defaultLimits.messageDataBytes / KIB,
  bodyKiB: defaultLimits.bodyBytes / KIB,
  unusedFileHours: limits.unusedFileSeconds / 3600,
  muidWindowHours: defaultLimits.muidWindowSeconds / 3600,
}

const NOTES = new URL('contract-notes.md', import.meta.url)

/** One of the parts of the notes, which are separated by comments with their names. */
const notes = (part: string): string => {
  const [, text] = readFileSync(NOTES, 'utf8').split(new RegExp(`^<!-- ${part} -->$`, 'm'))
  if (text === undefined) throw new Error(`contract-notes.md has no part ${part}`)
  const [own = ''] = text.split(/^<!-- \w+ -->$/m)
  return own.trim().replace(/\{limits\.(\w+)\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`contract-notes.md names the unknown limit ${name}`)
    return String(value)
  })
}

export const renderContract = (): string => {
  const routes = allRoutes()
  assertSameRoutes(routes)
  return `<!-- Generated by tools/gen.ts from the table of routes, the schemas of packages/protocol, tools/contract-errors.ts and
     tools/contract-notes.md. Do not edit. -->

# The HTTP contract

${notes('head')}

${areas(routes)}

## Objects

What answers are made of. A field that is not always there is left out where there is nothing to say.

${objects(routes)}

${notes('message')}

${featureSection(routes)}

${permissionSection()}

${notes('choices')}

${notes('differences')}
`
}
