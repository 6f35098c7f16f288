/** What becomes of a conversation when the attempts at a callback are used up: it goes on, or waits for somebody. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type CallbackReceiver, startCallbackReceiver } from '../../src/testing/callback-receiver.ts'
import { Api } from '../support/api.ts'
import { describeEngines, startServer, type TestServer } from '../support/server.ts'
import { attemptOf, callbackOf, makeUsers, metric, pause, QUIET_MS, say, textsOf, until } from './support.ts'
import { deliveriesOf, detailOf, logged, makeBotWith, statsOf } from './watch.ts'

const WAIT_MS = 8000
const retryPolicy = { delaysSeconds: [0.1], giveUpAfterSeconds: 0 }

interface Scene {
  readonly server: TestServer
  readonly api: Api
  readonly receiver: CallbackReceiver
  readonly bot: string
}

const statesNow = async ({ api, bot }: Scene): Promise<string[]> =>
  (await deliveriesOf(api, bot)).map(({ state }) => state)
const heardOf = ({ receiver }: Scene, person: string): string[] =>
  textsOf(receiver.received.filter((one) => callbackOf(one).data.sender === person))
const untilStates = (scene: Scene, ...wanted: readonly string[]): Promise<void> =>
  until(`states ${wanted}`, async () => String(await statesNow(scene)) === String(wanted))

/** Ann's first callback is poison; she says one more thing, and Bob something else. Answers the id of the poison. */
const poison = async (scene: Scene): Promise<string> => {
  const { server, api, receiver, bot } = scene
  receiver.setBehaviour((received) => ({ status: textsOf([received])[0] === 'poison' ? 500 : 200 }))
  await say(server, 'ann', bot, 'poison')
  await say(server, 'ann', bot, 'after it')
  await until('the attempt is on record', async () => (await deliveriesOf(api, bot))[0]?.attempts === 1)
  await say(server, 'bob', bot, 'elsewhere')
  await until('the other conversation goes on', () => heardOf(scene, 'bob').includes('elsewhere'))
  return (await deliveriesOf(api, bot))[0]?.id ?? ''
}

const expectParked = async (scene: Scene, id: string): Promise<void> => {
  const { api, bot } = scene
  await until('it is parked', async () => (await statsOf(api, bot)).parked === 1)
  const shown = await detailOf(api, id)
  expect(shown).toMatchObject({ state: 'pending', isParked: true })
  expect(shown).not.toHaveProperty('dueAt')
  expect(await statsOf(api, bot)).toMatchObject({ parked: 1, pending: 2 })
  expect(heardOf(scene, 'ann')).toEqual(['poison'])
}

describeEngines('a conversation whose attempts are used up', (engine) => {
  let scene: Scene
  let bots = 0
  let server: TestServer

  beforeAll(async () => {
    server = await startServer({ engine })
    await makeUsers(server, 'ann', 'bob')
  })
  afterAll(() => server?.dispose())
  beforeEach(async () => {
    scene = { server, api: new Api(server), receiver: await startCallbackReceiver(), bot: `bot-${++bots}` }
  })
  afterEach(async () => {
    await server.client.request('DELETE', `/bots/${scene.bot}`).catch(() => {})
    await scene.receiver.close()
  })

  const makeParkingBot = () =>
    makeBotWith(server, scene.bot, { webhookURL: scene.receiver.url, retryPolicy, poisonPolicy: 'park' })

  test('waits on, parked, when an older callback of it is replayed', async () => {
    const { server, api, receiver, bot } = scene
    await makeParkingBot()
    await say(server, 'ann', bot, 'fine')
    await until('it is delivered', async () => (await deliveriesOf(api, bot))[0]?.state === 'delivered')
    receiver.setBehaviour((received) => ({ status: textsOf([received])[0] === 'poison' ? 500 : 200 }))
    await say(server, 'ann', bot, 'poison')
    await until('it is parked', async () => (await statsOf(api, bot)).parked === 1)
    const older = (await deliveriesOf(api, bot)).find(({ state }) => state === 'delivered')
    await api.ok('POST', `/deliveries/${older?.id}/replay`)
    await until('it is made again', () => heardOf(scene, 'ann').length === 3)
    await pause(QUIET_MS)
    expect(heardOf(scene, 'ann')).toEqual(['fine', 'poison', 'fine'])
    expect(await statsOf(api, bot)).toMatchObject({ parked: 1, pending: 1 })
  })

  test('waits, if it is to be parked, until the bot is resumed', async () => {
    const { api, receiver, bot } = scene
    await makeParkingBot()
    const dead = await metric(server.url, 'confab_deliveries_finished_total{state="dead"}')
    const id = await poison(scene)
    await expectParked(scene, id)
    await pause(QUIET_MS)
    expect(heardOf(scene, 'ann')).toEqual(['poison'])
    expect(await logged(server, 'delivery.attempted', bot)).toContainEqual(
      expect.objectContaining({ deliveryId: id, next: 'park', level: 40 }),
    )
    expect(await metric(server.url, 'confab_deliveries_finished_total{state="dead"}')).toBe(dead)
    receiver.setBehaviour(() => ({ status: 200 }))
    expect((await api.ok('POST', `/bots/${bot}/resume`)).data).toEqual({ resumed: 1 })
    await untilStates(scene, 'delivered', 'delivered', 'delivered')
    expect(heardOf(scene, 'ann')).toEqual(['poison', 'poison', 'after it'])
    expect(await statsOf(api, bot)).toMatchObject({ parked: 0, pending: 0 })
    expect(await detailOf(api, id)).not.toHaveProperty('isParked')
  })

  test('is parked again, if that does not help, with its attempts before it anew', async () => {
    const { api, receiver, bot } = scene
    await makeParkingBot()
    const id = await poison(scene)
    await until('it is parked', async () => (await statsOf(api, bot)).parked === 1)
    await api.ok('POST', `/bots/${bot}/resume`)
    await until('it was tried again', async () => (await detailOf(api, id)).history.length === 2)
    expect(receiver.received.filter((one) => textsOf([one])[0] === 'poison').map(attemptOf)).toEqual([1, 1])
    await until('it is parked', async () => (await statsOf(api, bot)).parked === 1)
    expect(await detailOf(api, id)).toMatchObject({ state: 'pending', isParked: true, attempts: 1 })
    expect(heardOf(scene, 'ann')).not.toContain('after it')
  })

  test.each([
    ['replay', ['poison', 'poison', 'after it'], 'delivered'],
    ['cancel', ['poison', 'after it'], 'cancelled'],
  ])('goes on after a %s of what it waits for', async (action, heard, state) => {
    const { api, receiver, bot } = scene
    await makeParkingBot()
    const id = await poison(scene)
    await until('it is parked', async () => (await detailOf(api, id)).isParked === true)
    receiver.setBehaviour(() => ({ status: 200 }))
    await api.ok('POST', `/deliveries/${id}/${action}`)
    await untilStates(scene, state, 'delivered', 'delivered')
    expect(heardOf(scene, 'ann')).toEqual(heard)
    expect(await statsOf(api, bot)).toMatchObject({ parked: 0, pending: 0 })
  })

  test('goes on with the next one by default', async () => {
    const { api, receiver, bot } = scene
    await makeBotWith(server, bot, { webhookURL: receiver.url, retryPolicy })
    const id = await poison(scene)
    await untilStates(scene, 'dead', 'delivered', 'delivered')
    expect(heardOf(scene, 'ann')).toEqual(['poison', 'after it'])
    expect(await detailOf(api, id)).not.toHaveProperty('isParked')
    expect(await statsOf(api, bot)).toMatchObject({ parked: 0, pending: 0 })
  })

  test('goes on although it is to be parked, where the bot itself wants the callback no more', async () => {
    const { receiver, bot } = scene
    await makeParkingBot()
    receiver.setBehaviour((_, n) => ({ status: n === 1 ? 410 : 200 }))
    for (const text of ['unwanted', 'after it']) await say(server, 'ann', bot, text)
    await receiver.waitFor(2, WAIT_MS)
    await untilStates(scene, 'dead', 'delivered')
  })
})

describeEngines('with CONFAB_POISON_POLICY=park', (engine) => {
  test('every conversation waits, but for those of bots that say otherwise', async () => {
    const server = await startServer({ engine, env: { CONFAB_POISON_POLICY: 'park' } })
    const receiver = await startCallbackReceiver()
    try {
      await makeUsers(server, 'ann', 'bob')
      const scene = { server, api: new Api(server), receiver, bot: 'bot' }
      await makeBotWith(server, 'bot', { webhookURL: receiver.url, retryPolicy })
      await expectParked(scene, await poison(scene))
      const going = await startCallbackReceiver()
      const other = { ...scene, receiver: going, bot: 'going' }
      await makeBotWith(server, 'going', { webhookURL: going.url, retryPolicy, poisonPolicy: 'skip' })
      await poison(other)
      await untilStates(other, 'dead', 'delivered', 'delivered')
      await going.close()
    } finally {
      await server.dispose()
      await receiver.close()
    }
  })
})
