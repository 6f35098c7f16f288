/** Requests as the client SDKs of the contract send them: their headers, their bodies, with what is noise in them. */
import type { Answer, Api, CallOptions } from '../support/api.ts'

export const APP_INFO = { version: 'v4.2.0', apiVersion: 'v3.0', userAgent: 'Mozilla/5.0 (X11; Linux x86_64)' }

const RESOURCE = 'WEB-4_2_0-6f8c1f1e-0000-4000-8000-000000000000-1700000000000'

export const loginBody = (appId: string): object => ({
  platform: 'WEB',
  deviceId: `${appId}_6f8c1f1e-0000-4000-8000-000000000000_1700000000000`,
  appInfo: APP_INFO,
})

/** What an SDK makes of a user object that somebody has changed. */
export const userNoise = {
  hasBlockedMe: false,
  blockedByMe: false,
  deactivatedAt: 0,
  status: 'offline',
  lastActiveAt: 0,
}

const headers = (appId: string): Record<string, string> => ({
  appid: appId,
  resource: RESOURCE,
  sdk: 'javascript@4.2.0',
  accept: 'application/json',
  'content-type': 'application/json',
  'cache-control': 'max-age=0',
  origin: 'https://app.example',
})

export class Sdk {
  readonly api: Api

  constructor(api: Api) {
    this.api = api
  }

  get appId(): string {
    return this.api.server.appId
  }

  /** With the auth key, as `login(uid, authKey)`, `createUser` and `updateUser` do. */
  withKey(method: string, path: string, body: object): Promise<Answer> {
    return this.#call(method, path, { key: this.api.server.authKey, body })
  }

  as(token: string, method: string, path: string, body?: object): Promise<Answer> {
    return this.#call(method, path, { token, ...(body && { body }) })
  }

  async login(uid: string): Promise<string> {
    const { json } = await this.withKey('POST', `/users/${uid}/auth_tokens`, loginBody(this.appId))
    return json.data.authToken
  }

  #call(method: string, path: string, options: CallOptions): Promise<Answer> {
    return this.api.call(method, path, { ...options, appId: null, headers: { ...headers(this.appId) } })
  }
}
