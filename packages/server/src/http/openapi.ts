/** `/openapi.json`: made from the table of routes. */
import {
  ApiKey,
  AuthToken,
  Bot,
  Callback,
  Conversation,
  callbackHeaders,
  ErrorAnswer,
  Group,
  Message,
  Reaction,
  User,
} from '@confab/protocol'
import type { TSchema } from 'typebox'
import { LINES, type Route } from './route.ts'

/** Schemas that have a name of their own in the document. */
const named: Readonly<Record<string, TSchema>> = {
  ApiKey,
  AuthToken,
  Bot,
  Callback,
  Conversation,
  Error: ErrorAnswer,
  Group,
  Message,
  Reaction,
  User,
}
const nameOf = new Map(Object.entries(named).map(([name, schema]) => [JSON.stringify(schema), name]))

/** Replaces what has a name by a reference to it. */
const referring = (value: unknown, isRoot = true): unknown => {
  if (Array.isArray(value)) return value.map((item) => referring(item, false))
  if (typeof value !== 'object' || value === null) return value
  const name = isRoot ? undefined : nameOf.get(JSON.stringify(value))
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, referring(inner, false)]))
}

/** A message with its files: what stands in the body of others is a field, what is no text as JSON. */
const form = {
  'multipart/form-data': {
    schema: {
      type: 'object',
      properties: {
        ...Object.fromEntries(
          ['receiver', 'receiverType', 'category', 'type', 'muid', 'parentMessageId', 'caption'].map((name) => [
            name,
            { type: 'string' },
          ]),
        ),
        ...Object.fromEntries(
          ['data', 'metadata', 'multipleReceivers'].map((name) => [name, { type: 'string', description: 'JSON.' }]),
        ),
        'tags[]': { type: 'array', items: { type: 'string' } },
        'files[]': { type: 'array', items: { type: 'string', format: 'binary' } },
      },
    },
  },
}

const json = (schema: unknown): object => ({ 'application/json': { schema } })

const parametersOf = (schema: TSchema | undefined, where: 'path' | 'query'): object[] => {
  const { properties = {}, required = [] } = (schema ?? {}) as {
    properties?: Record<string, TSchema>
    required?: string[]
  }
  return Object.entries(properties).map(
    ([name, { description, ...rest }]: [string, TSchema & { description?: string }]) => ({
      name,
      in: where,
      required: where === 'path' || required.includes(name),
      ...(description && { description }),
      ...('type' in rest && rest.type === 'array' && { style: 'form', explode: false }),
      schema: referring(rest),
    }),
  )
}

const header = (name: string, required: boolean, description: string): object => ({
  name,
  in: 'header',
  required,
  description,
  schema: { type: 'string' },
})

const headersOf = ({ onBehalfOf }: Route): object[] => {
  const appId = header(
    'appId',
    false,
    'The app; needed where the server has several and the host name does not say it.',
  )
  const who = 'The uid of the user in whose name this is done'
  if (onBehalfOf === 'none') return [appId]
  const isRequired = onBehalfOf === 'required'
  return [appId, header('onBehalfOf', isRequired, isRequired ? `${who}.` : `${who}; without it the app itself acts.`)]
}

const takesNull = (schema: TSchema): boolean =>
  'anyOf' in schema && Array.isArray(schema.anyOf) && schema.anyOf.some(({ type }) => type === 'null')

const contentOf = (body: TSchema, { takesForm }: Route): object => ({
  ...json(referring(body)),
  ...(takesForm && form),
})

const typeOf = ({ isStream, takesLines }: Route): string => {
  if (takesLines) return LINES
  return isStream ? 'text/event-stream' : 'application/json'
}

const operationOf = (route: Route): object => ({
  summary: route.summary,
  tags: [route.tag],
  operationId: `${route.method.toLowerCase()}${route.path.replace(/[/:_-]+(\w)/g, (_, first: string) => first.toUpperCase())}`,
  description: `Needs an API key of scope ${route.access === 'authOnly' ? '`authOnly` or `fullAccess`' : '`fullAccess`'}${route.forUsers ? ', or the auth token of a user' : ''}.`,
  ...(route.forUsers && { security: [{ apiKey: [] }, { authToken: [] }] }),
  parameters: [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query'), ...headersOf(route)],
  ...(route.takesLines && { requestBody: { required: true, content: { [LINES]: { schema: { type: 'string' } } } } }),
  ...(route.body && { requestBody: { required: !takesNull(route.body), content: contentOf(route.body, route) } }),
  responses: {
    200: {
      description: 'Done.',
      content: { [typeOf(route)]: { schema: referring(route.answer) } },
    },
    default: { description: 'Not done; see `error.code`.', content: json({ $ref: '#/components/schemas/Error' }) },
  },
})

/** What a bot receives. */
const callback: object = {
  summary: 'A message for a bot',
  description:
    'Posted to the callback URL of the bot, in order within a conversation, until it is answered with a 2xx status.',
  operationId: 'afterMessage',
  security: [],
  parameters: Object.values(callbackHeaders).map((name) => header(name, true, 'See the guide for bots.')),
  requestBody: { required: true, content: json({ $ref: '#/components/schemas/Callback' }) },
  responses: { '2XX': { description: 'Received.' } },
}

export const openApiOf = (routes: readonly Route[], options: { version: string }): object => {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Confab',
      version: options.version,
      description: 'A self-hosted chat server in which bots are users. All paths are also served under /v3.0.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/v3' }],
    security: [{ apiKey: [] }],
    paths,
    webhooks: { after_message: { post: callback } },
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'apikey' },
        authToken: { type: 'apiKey', in: 'header', name: 'authtoken' },
      },
      schemas: Object.fromEntries(Object.entries(named).map(([name, schema]) => [name, referring(schema)])),
    },
  }
}
