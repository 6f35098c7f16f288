/** Tells the gateway of `PUT /me`, and of the preflight before it: its sockets may have to wait for the answer. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressOf } from './reached-at.ts'

const ME = /^\/v3(?:\.0)?\/me(?:[/?]|$)/

export interface LoginWatcher {
  announced(address: string): void
  begun(address: string): void
  answered(address: string): void
}

export const watchLogins = (server: Server, logins: LoginWatcher, addressOf: AddressOf): void => {
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!ME.test(request.url ?? '')) return
    const address = addressOf(request)
    if (request.method === 'OPTIONS') logins.announced(address)
    if (request.method !== 'PUT') return
    logins.begun(address)
    response.once('close', () => logins.answered(address))
  })
}
