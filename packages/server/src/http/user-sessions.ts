/**
 * Client SDKs tell what they have measured of a session, also after its token is gone, and a failure here would become an
 * error of the page. Nobody asked for it: it is taken and forgotten, from whoever sends it.
 */
import type { FastifyInstance } from 'fastify'

const BYTES_MAX = 16 * 1024

export const registerUserSessions = (app: FastifyInstance, prefix: string): void => {
  app.post(`${prefix}/user_sessions`, { bodyLimit: BYTES_MAX }, () => ({ data: { success: true } }))
}
