/** Tells the gateway of `PUT /me`, which its sockets may have to wait for. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Logins } from '../gateway/logins.ts'

const ME = /^\/v3\/me(?:[/?]|$)/

const isLogin = ({ method, url }: FastifyRequest): boolean => method === 'PUT' && ME.test(url)
const isAnnouncement = ({ method, url }: FastifyRequest): boolean => method === 'OPTIONS' && ME.test(url)

export const watchLogins = (http: FastifyInstance, logins: Pick<Logins, 'announced' | 'begun' | 'answered'>): void => {
  http.addHook('onRequest', (request, _reply, done) => {
    if (isLogin(request)) logins.begun(request.ip)
    else if (isAnnouncement(request)) logins.announced(request.ip)
    done()
  })
  http.addHook('onResponse', (request, _reply, done) => {
    if (isLogin(request)) logins.answered(request.ip)
    done()
  })
}
