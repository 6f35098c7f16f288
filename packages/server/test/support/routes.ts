/** The table of routes, without a server: nothing of it is called. */
import { Compile } from 'typebox/compile'
import { routeTable } from '../../src/api.ts'
import { parseConfig } from '../../src/config/parse.ts'
import type { Route } from '../../src/http/route.ts'
import type { Store } from '../../src/storage/store.ts'

const parsed = parseConfig({ env: {}, flags: {}, defaults: {} })
if (!parsed.ok) throw new Error('the defaults of the configuration are not valid')

export const routes: readonly Route[] = routeTable(parsed.config, {} as Store)

/** As in `GET /users/:uid`. */
export const nameOf = ({ method, path }: Pick<Route, 'method' | 'path'>): string => `${method} ${path}`

const patternOf = ({ path }: Route): RegExp => new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`)
const table = routes.map((route) => ({ route, pattern: patternOf(route), answer: Compile(route.answer) }))

/** The operation that a request reaches; literal segments come before parameters, as they do in the server. */
export const operationOf = (method: string, path: string): (typeof table)[number] | undefined => {
  const [bare = ''] = path.split(/\/?(?:\?|$)/)
  const found = table.filter(({ route, pattern }) => route.method === method && pattern.test(bare))
  return found.sort((a, b) => a.route.path.split(':').length - b.route.path.split(':').length)[0]
}
