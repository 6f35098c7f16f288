/**
 * What the web console asks of a server. It is an ordinary client: no private endpoints, nothing but `fetch`, so that
 * it runs in a browser as it is.
 */
import type { Bot, ErrorAnswer, Group, Message, Pagination, User } from '@confab/protocol'

export interface ConsoleOptions {
  /** Where the server is, without the version. */
  readonly url: string
  readonly apiKey: string
  /** Needed where the server has several apps. */
  readonly appId?: string
}

export interface PageOf<T> {
  readonly rows: readonly T[]
  readonly pagination: Pagination
}

export interface ConsoleApi {
  users(page?: number): Promise<PageOf<User>>
  groups(page?: number): Promise<PageOf<Group>>
  bots(page?: number): Promise<PageOf<Bot>>
  /** The newest messages of a group, oldest first. */
  groupMessages(guid: string, limit?: number): Promise<readonly Message[]>
  /** The newest one-to-one messages of two users, oldest first. */
  userMessages(uid: string, other: string, limit?: number): Promise<readonly Message[]>
}

/** The server said no; `message` begins with its code. */
export class ConsoleError extends Error {
  readonly code: string

  constructor({ code, message }: ErrorAnswer['error']) {
    super(`${code}: ${message}`)
    this.name = 'ConsoleError'
    this.code = code
  }
}

interface Listing<T> {
  readonly data: readonly T[]
  readonly meta: { readonly pagination: Pagination }
}

/** Every path that the console asks for, in one place. */
const paths = {
  users: (page: number) => `/users?page=${page}`,
  groups: (page: number) => `/groups?page=${page}`,
  bots: (page: number) => `/bots?page=${page}`,
  groupMessages: (guid: string, limit: number) =>
    `/groups/${encodeURIComponent(guid)}/messages?affix=prepend&limit=${limit}`,
  userMessages: (uid: string, limit: number) =>
    `/users/${encodeURIComponent(uid)}/messages?affix=prepend&limit=${limit}`,
}

const NEWEST = 50

export const makeConsoleApi = (options: ConsoleOptions): ConsoleApi => {
  const get = async <T>(path: string, onBehalfOf?: string): Promise<Listing<T>> => {
    const response = await fetch(`${options.url.replace(/\/$/, '')}/v3${path}`, {
      headers: {
        apikey: options.apiKey,
        ...(options.appId !== undefined && { appid: options.appId }),
        ...(onBehalfOf !== undefined && { onbehalfof: onBehalfOf }),
      },
    })
    const answer = (await response.json()) as Listing<T> | ErrorAnswer
    if ('error' in answer) throw new ConsoleError(answer.error)
    return answer
  }
  const pageOf = async <T>(path: string): Promise<PageOf<T>> => {
    const { data, meta } = await get<T>(path)
    return { rows: data, pagination: meta.pagination }
  }
  return {
    users: (page = 1) => pageOf<User>(paths.users(page)),
    groups: (page = 1) => pageOf<Group>(paths.groups(page)),
    bots: (page = 1) => pageOf<Bot>(paths.bots(page)),
    groupMessages: async (guid, limit = NEWEST) => (await get<Message>(paths.groupMessages(guid, limit))).data,
    userMessages: async (uid, other, limit = NEWEST) =>
      (await get<Message>(paths.userMessages(other, limit), uid)).data,
  }
}
