/** What suites of the dispatcher share: one store per file, one rig per test. */
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import {
  type DeliveryRig,
  type DeliveryRigOptions,
  type DeliveryStore,
  makeDeliveryRig,
  openDeliveryStore,
} from './delivery-rig.ts'

export const WAIT_MS = 10_000
export const POLL = { timeout: WAIT_MS, interval: 10 }

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** To be called once per file; answers what makes a rig that ends with its test. */
export const deliverySuite = (): ((options?: DeliveryRigOptions) => Promise<DeliveryRig>) => {
  let opened: DeliveryStore
  beforeAll(async () => {
    opened = await openDeliveryStore()
  })
  afterAll(() => opened?.close())
  return async (options) => {
    const rig = await makeDeliveryRig(opened, options)
    onTestFinished(() => rig.dispose())
    return rig
  }
}
