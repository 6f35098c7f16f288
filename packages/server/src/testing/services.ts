/**
 * The servers that tests may use. Each comes from the environment (`CONFAB_TEST_POSTGRES_URL`, `CONFAB_TEST_NATS_URL`)
 * or is started for this run; one that is neither given nor installed is absent, and the suites that need it are
 * skipped, unless `CONFAB_TEST_REQUIRE=postgres,nats` makes that a failure.
 */
import { describe, inject } from 'vitest'

export interface Services {
  /** A user who may create databases: take one of your own with `freshDatabase`. */
  readonly postgresUrl?: string
  /** Shared by all test files: use subjects of your own. */
  readonly natsUrl?: string
}

declare module 'vitest' {
  interface ProvidedContext {
    services: Services
  }
}

export const services = (): Services => inject('services')

type Suite = (url: string) => void

const describeWith = (url: string | undefined, name: string, suite: Suite): void => {
  // A skipped suite is still collected, so its body must not use the URL outside hooks and tests.
  describe.skipIf(url === undefined)(name, () => suite(url ?? ''))
}

export const describeWithPostgres = (name: string, suite: Suite): void =>
  describeWith(services().postgresUrl, name, suite)

export const describeWithNats = (name: string, suite: Suite): void => describeWith(services().natsUrl, name, suite)
