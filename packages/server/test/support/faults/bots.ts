/** Bots, and those that fetch their updates. */
import type { Api } from '../api.ts'
import { openStream } from '../pulling.ts'
import { deliveryOf } from './deliveries.ts'
import type { Faults } from './fault.ts'

const FETCHER = 'fetcher'

/** A bot that fetches its updates. */
export const makeFetcher = async (api: Api): Promise<void> => {
  if ((await api.call('GET', `/bots/${FETCHER}`)).status === 200) return
  await api.ok('POST', '/users', { body: { uid: FETCHER, name: FETCHER } })
  await api.ok('POST', '/bots', { body: { uid: FETCHER, receive: 'pull', enabled: true } })
}

/** A bot whose updates somebody fetches; while one does, another cannot begin. */
export const consumedBot = async (api: Api): Promise<string> => {
  await makeFetcher(api)
  await openStream(api.server, FETCHER)
  return FETCHER
}

export const botFaults: Faults = {
  ERR_BOT_NOT_FOUND: async (world, { path }) =>
    path.startsWith('/deliveries')
      ? { names: { id: await deliveryOf(world, 'ownerless') } }
      : { names: { uid: world.ann } },
  ERR_BOT_ALREADY_EXISTS: () => ({}),
  ERR_BOT_NOT_PULLING: () => ({ body: { offset: 0 } }),
  ERR_BOT_ALREADY_CONSUMED: async ({ api }) => ({ names: { uid: await consumedBot(api) } }),
}
