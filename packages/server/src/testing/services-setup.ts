/** Runs once per test run, before any test: see `services.ts` for what the tests get. */
import type { TestProject } from 'vitest/node'
import { startNats } from './nats.ts'
import { startPostgres } from './postgres.ts'
import type { Services } from './services.ts'
import type { Missing, ThrowAwayServer } from './services-child.ts'

interface Wanted {
  readonly name: string
  /** Where somebody else runs it. */
  readonly url: string | undefined
  readonly start: () => Promise<ThrowAwayServer | Missing>
}

const isRequired = (name: string): boolean =>
  (process.env.CONFAB_TEST_REQUIRE ?? '').split(',').some((required) => required.trim() === name)

export const provideOne = async (wanted: Wanted, started: ThrowAwayServer[]): Promise<string | undefined> => {
  if (wanted.url !== undefined && wanted.url !== '') return wanted.url
  const server = await wanted.start()
  if (!('missing' in server)) {
    started.push(server)
    return server.url
  }
  if (isRequired(wanted.name)) throw new Error(`CONFAB_TEST_REQUIRE names ${wanted.name}, but ${server.missing}`)
  console.warn(`Tests that need ${wanted.name} are skipped: ${server.missing}.`)
  return undefined
}

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const started: ThrowAwayServer[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()))
  }
  const { CONFAB_TEST_POSTGRES_URL, CONFAB_TEST_NATS_URL } = process.env
  const settled = await Promise.allSettled([
    provideOne({ name: 'postgres', url: CONFAB_TEST_POSTGRES_URL, start: startPostgres }, started),
    provideOne({ name: 'nats', url: CONFAB_TEST_NATS_URL, start: startNats }, started),
  ])
  const failed = settled.find((one) => one.status === 'rejected')
  if (failed !== undefined) {
    await stop()
    throw failed.reason
  }
  const [postgresUrl, natsUrl] = settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined))
  const services: Services = {
    ...(postgresUrl === undefined ? {} : { postgresUrl }),
    ...(natsUrl === undefined ? {} : { natsUrl }),
  }
  project.provide('services', services)
  return stop
}
