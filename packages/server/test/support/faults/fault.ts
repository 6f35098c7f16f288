/** What the tables of faults are made of. */
import type { Route } from '../../../src/http/route.ts'
import { nameOf } from '../routes.ts'
import type { World } from './world.ts'

/** What makes a request, which would be right, fail. */
export interface Fault {
  readonly names?: Readonly<Record<string, string>>
  readonly onBehalfOf?: string
  /** Nobody in particular acts. */
  readonly isApp?: true
  readonly body?: object
}

/** By code. */
export type Faults = Readonly<Record<string, (world: World, route: Route) => Fault | Promise<Fault>>>

export const sends = ({ path, method }: Route): boolean =>
  method === 'POST' && /\/(messages|thread|calls|typing)$/.test(path)
export const isEdit = (route: Route): boolean => nameOf(route) === 'PUT /messages/:id'

let made = 0

/** A name that nothing has yet. */
export const fresh = (what: string): string => `${what}-${++made}`
