import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { makeWorld } from '../../testing/builders.ts'
import { freshDatabase } from '../../testing/postgres.ts'
import { describeWithPostgres } from '../../testing/services.ts'
import { storeConformance } from '../conformance/store-conformance.ts'
import { loweredLimits } from '../conformance/subject.ts'
import { openPostgresStore } from './postgres-store.ts'

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

describeWithPostgres('the PostgreSQL store', (adminUrl) => {
  storeConformance('PostgreSQL', async () => {
    const database = await freshDatabase(adminUrl)
    const { store } = await openPostgresStore({ databaseUrl: database.url, log })
    const { store: peer } = await openPostgresStore({ databaseUrl: database.url, log })
    const limited = { databaseUrl: database.url, limits: loweredLimits, log }
    const { store: low } = await openPostgresStore(limited)
    const { store: lowPeer } = await openPostgresStore(limited)
    return {
      store,
      peer,
      lowered: { store: low, peer: lowPeer },
      close: async () => {
        await Promise.all([store, peer, low, lowPeer].map((one) => one.close()))
        await database.drop()
      },
    }
  })

  const opened = async (maxConnections: number) => {
    const database = await freshDatabase(adminUrl)
    onTestFinished(() => database.drop())
    const { store } = await openPostgresStore({ databaseUrl: database.url, maxConnections, log })
    onTestFinished(() => store.close())
    return { store, url: database.url }
  }

  test('calls made before the store is closed settle, also those that wait for a connection', async () => {
    const { store } = await opened(2)
    const w = await makeWorld(store)
    const users = Array.from({ length: 50 }, (_, n) => w.user(`u${n}`))
    const closed = store.close()
    await expect(w.user('late')).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
    expect(await Promise.all(users)).toHaveLength(50)
    await closed
    await store.close()
  })

  test('a connection that is lost costs the calls on it, and no more', async () => {
    const { store, url } = await opened(2)
    const w = await makeWorld(store)
    await w.users('a', 'b')
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const cut = client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    )
    const settled = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) => w.send({ from: 'a', to: 'b', muid: `${n}` })),
    )
    await cut
    await client.end()
    for (const one of settled) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
    }
    const again = await Promise.allSettled(
      Array.from({ length: 40 }, (_, n) => w.send({ from: 'a', to: 'b', muid: `${n}` })),
    )
    expect(again.filter(({ status }) => status === 'rejected')).toEqual([])
    expect((await w.list()).rows).toHaveLength(40)
  })

  test('a database that cannot be reached is said so at the start', async () => {
    const open = openPostgresStore({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none', log })
    await expect(open).rejects.toThrow(/ECONNREFUSED/)
  })
})
