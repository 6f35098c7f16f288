import { expect, onTestFinished, test, vi } from 'vitest'
import type { Logger } from '../kernel/logger.ts'
import { freshDatabase } from '../testing/postgres.ts'
import { describeWithNats, describeWithPostgres } from '../testing/services.ts'
import { type BusOptions, openBus } from './open-bus.ts'

const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Whether two buses that were opened with these options hear each other. */
const isShared = async (options: Omit<BusOptions, 'log'>): Promise<boolean> => {
  const [one, two] = await Promise.all([openBus({ ...options, log }), openBus({ ...options, log })])
  const heard: string[] = []
  await two.subscribe('open-bus', (message) => heard.push(message))
  await one.subscribe('open-bus', (message) => heard.push(message))
  one.publish('open-bus', 'm')
  await vi.waitFor(() => expect(heard).not.toEqual([]))
  await new Promise((resolve) => setTimeout(resolve, 100))
  await Promise.all([one.close(), two.close()])
  return heard.length === 2
}

const unreachable = 'postgres://nobody@127.0.0.1:1/nothing'

test('without any URL the bus ends at the process', async () => {
  expect(await isShared({ busUrl: undefined, databaseUrl: undefined })).toBe(false)
})

test('a server that cannot be reached keeps nobody from starting', async () => {
  const buses = await Promise.all([
    openBus({ busUrl: undefined, databaseUrl: unreachable, log }),
    openBus({ busUrl: 'nats://127.0.0.1:1', databaseUrl: undefined, log }),
  ])
  onTestFinished(async () => void (await Promise.all(buses.map((bus) => bus.close()))))
  expect(buses.map((bus) => bus.status())).toEqual(['down', 'down'])
})

describeWithPostgres('with a database', (adminUrl) => {
  test('it carries the bus', async () => {
    const database = await freshDatabase(adminUrl)
    onTestFinished(() => database.drop())
    expect(await isShared({ busUrl: undefined, databaseUrl: database.url })).toBe(true)
  })
})

describeWithNats('with a bus URL', (busUrl) => {
  test('NATS carries the bus, also beside a database', async () => {
    expect(await isShared({ busUrl, databaseUrl: unreachable })).toBe(true)
  })
})
