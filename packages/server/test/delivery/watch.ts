/** Bots with settings beyond the contract, and what is seen of their deliveries from outside. */
import type { BotSettings, BotStats, Delivery, DeliveryDetail } from '@confab/protocol'
import type { ReceivedCallback } from '../../src/testing/callback-receiver.ts'
import type { Api } from '../support/api.ts'
import type { LogLine, TestServer } from '../support/server.ts'
import { type BotSettings as CallbackSettings, makeBot, until } from './support.ts'

/** The user and the bot on it; answers the signing secret. */
export const makeBotWith = (
  server: TestServer,
  uid: string,
  settings: CallbackSettings & BotSettings,
): Promise<string> => makeBot(server, uid, settings)

export const statsOf = async (api: Api, bot: string): Promise<BotStats> =>
  (await api.ok('GET', `/bots/${bot}/stats`)).data

/** Oldest first. */
export const deliveriesOf = async (api: Api, bot: string): Promise<readonly Delivery[]> =>
  (await api.ok('GET', '/deliveries', { query: { bot } })).data.toReversed()

export const detailOf = async (api: Api, id: string): Promise<DeliveryDetail> =>
  (await api.ok('GET', `/deliveries/${id}`)).data

/** The detail of the only delivery of the bot, as soon as it is in the state. */
export const onlyDelivery = async (api: Api, bot: string, state: Delivery['state']): Promise<DeliveryDetail> => {
  let found: readonly Delivery[] = []
  await until(`the delivery of ${bot} is ${state}`, async () => {
    found = await deliveriesOf(api, bot)
    return found.length === 1 && found[0]?.state === state
  })
  return detailOf(api, found[0]?.id ?? '')
}

/** The lines of the log that tell this of the bot. The log comes in batches. */
export const logged = async (
  server: TestServer,
  event: string,
  bot: string,
  count = 1,
): Promise<readonly LogLine[]> => {
  const found = (): LogLine[] => server.lines.filter((line) => line.msg === event && (line.bot ?? line.uid) === bot)
  await until(`${count} times ${event} of ${bot} in the log`, () => found().length >= count)
  return found()
}

/** How many callbacks of those that are answered after `ms` came before the one before them was answered. */
export const overlaps = (received: readonly ReceivedCallback[], ms: number): number =>
  // A timer may fire a millisecond early.
  received.filter(({ atMs }, n) => n > 0 && atMs - (received[n - 1]?.atMs ?? 0) < ms - 5).length
