import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { type FreshDatabase, freshDatabase, startPostgres } from '../../testing/postgres.ts'
import { describeWithPostgres } from '../../testing/services.ts'
import type { ThrowAwayServer } from '../../testing/services-child.ts'
import { testBus, testBusOutage } from '../conformance/bus-conformance.ts'
import { openPostgresBus } from './postgres-bus.ts'

describeWithPostgres('on a server that others use too', (adminUrl) => {
  let database: FreshDatabase
  beforeAll(async () => {
    database = await freshDatabase(adminUrl)
  })
  afterAll(() => database.drop())

  testBus('PostgreSQL', (log) => openPostgresBus({ url: database.url, log }))
})

describe('on a server of its own', () => {
  let server: ThrowAwayServer
  let missing: string | undefined
  beforeAll(async () => {
    const started = await startPostgres()
    if ('missing' in started) missing = started.missing
    else server = started
  })
  beforeEach(({ skip }) => skip(missing !== undefined, missing))
  afterAll(() => server?.stop())

  testBusOutage(
    'PostgreSQL',
    () => server,
    (log) => openPostgresBus({ url: server.url, log }),
  )
})
