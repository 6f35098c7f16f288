/** The addresses of this machine's interfaces: they come and go, and are asked for at every dialling. */
import { networkInterfaces } from 'node:os'
import type { OwnAddresses } from './guard.ts'

const BELIEVED_MS = 5000

const systemAddresses: OwnAddresses = () =>
  Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address))

export const makeOwnAddresses = (
  find: OwnAddresses = systemAddresses,
  now: () => number = () => performance.now(),
): OwnAddresses => {
  let known: readonly string[] = []
  let untilMs = Number.NEGATIVE_INFINITY
  return () => {
    if (now() >= untilMs) {
      known = find()
      untilMs = now() + BELIEVED_MS
    }
    return known
  }
}
