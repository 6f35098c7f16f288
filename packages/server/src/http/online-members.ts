/**
 * How many are online, where client SDKs ask for it: beside the API, at the host of the gateway, and with the pass of the
 * gateway in place of a token.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError, badRequest } from '../kernel/app-error.ts'
import type { CountOnline } from '../users/count-online.ts'
import type { makeCheckPass } from '../users/pass.ts'

export interface OnlineMembersDeps {
  readonly checkPass: ReturnType<typeof makeCheckPass>
  readonly countOnline: CountOnline
}

const BYTES_MAX = 16 * 1024

const guidsIn = (body: unknown): readonly string[] => {
  if (typeof body !== 'object' || body === null || !('groups' in body) || body.groups === null) return []
  const { groups } = body
  if (!Array.isArray(groups) || groups.some((guid) => typeof guid !== 'string'))
    throw badRequest({ groups: 'must be an array of strings' })
  return groups
}

/** `?groups=a,b` or `?groups[]=a` of who cannot send a body. */
const guidsAsked = ({ query }: FastifyRequest): string[] => {
  const { groups, 'groups[]': list } = query as Readonly<Record<string, string | string[] | undefined>>
  return [groups, list].flat().flatMap((text) => (text ?? '').split(',').filter((guid) => guid !== ''))
}

export const registerOnlineMembers = (app: FastifyInstance, { checkPass, countOnline }: OnlineMembersDeps): void => {
  const answer = async (request: FastifyRequest, guids: readonly string[]) => {
    const pass = (request.headers.authorization ?? '').replace(/^Bearer +/i, '')
    const bearer = await checkPass(pass)
    if (bearer === undefined) throw new AppError('AUTH_ERR_AUTH_TOKEN_NOT_FOUND')
    return { data: await countOnline(bearer, guids) }
  }
  for (const version of ['v3', 'v3.0']) {
    const url = `/api/${version}/online-members`
    app.get(url, (request) => answer(request, guidsAsked(request)))
    app.post(url, { bodyLimit: BYTES_MAX }, (request) => answer(request, guidsIn(request.body)))
  }
}
