/**
 * Opens connections for callbacks and lets none be opened to an address that the guard forbids. The guard is asked for
 * every address that a name resolves to, at the moment of dialling, and once more for the peer that answered, before
 * the first byte is written: a name that changes its mind in between gains nothing.
 */
import dns from 'node:dns'
import { isIP, type LookupFunction, type Socket, connect as tcpConnect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import type { buildConnector } from 'undici'
import type { AddressGuard } from './guard.ts'

export interface ResolvedAddress {
  readonly address: string
  readonly family: number
}

export type ResolveCallback = (error: Error | null, addresses: readonly ResolvedAddress[]) => void
/** Every address of a name. */
export type Resolve = (hostname: string, callback: ResolveCallback) => void

/** The guard forbids the address. */
export class AddressRefusedError extends Error {
  readonly address: string
  readonly reason: string

  constructor(address: string, reason: string) {
    super(`address ${address} is not allowed: ${reason}`)
    this.name = 'AddressRefusedError'
    this.address = address
    this.reason = reason
  }
}

export type DialPhase = 'dns' | 'connect' | 'tls'

/** No connection came about; `phase` is the one that failed. */
export class DialError extends Error {
  readonly phase: DialPhase

  constructor(phase: DialPhase, cause: Error) {
    super(`${phase} failed`, { cause })
    this.name = 'DialError'
    this.phase = phase
  }
}

/** Whoever asked for a connection hears how it comes about. */
export interface DialObserver {
  /** Destroying the socket gives the dialling up. */
  dialling(socket: Socket): void
  trying(address: string): void
  reached(phase: DialPhase): void
}

/** How long one address of several may take before the next one is tried beside it. */
const NEXT_ADDRESS_MS = 500
const TCP_KEEP_ALIVE_MS = 60_000

/** Other names were looked up of late: it is this one that cannot be. */
const NAMES_ARE_FINE_MS = 60_000

/** No name can be looked up, as far as this node knows: that is not the fault of whose name it is. */
export class NoNamesError extends Error {
  constructor(cause: Error) {
    super('no name can be looked up', { cause })
    this.name = 'NoNamesError'
  }
}

/** Tells whose fault it is that a name could not be looked up for now (EAI_AGAIN). */
export const attributeLookups = (resolve: Resolve, now: () => number = () => performance.now()): Resolve => {
  let fine: { readonly hostname: string; readonly atMs: number }[] = []
  return (hostname, callback) => {
    resolve(hostname, (error, addresses) => {
      const sinceMs = now() - NAMES_ARE_FINE_MS
      const others = fine.filter((name) => name.hostname !== hostname && name.atMs > sinceMs)
      // Two names are enough: one of them is another than any that is asked for.
      if (error === null) fine = [...others.slice(-1), { hostname, atMs: now() }]
      const isTemporary = error !== null && 'code' in error && error.code === 'EAI_AGAIN'
      callback(isTemporary && others.length === 0 ? new NoNamesError(error) : error, addresses)
    })
  }
}

/**
 * One lookup per name at a time. `getaddrinfo` holds one of a few threads that the whole process shares, and cannot be
 * called off: without this, a bot whose name server hangs would take them all, one per attempt.
 */
export const shareLookups = (resolve: Resolve): Resolve => {
  const waiting = new Map<string, ResolveCallback[]>()
  return (hostname, callback) => {
    const others = waiting.get(hostname)
    if (others !== undefined) {
      others.push(callback)
      return
    }
    const callbacks = [callback]
    waiting.set(hostname, callbacks)
    resolve(hostname, (error, addresses) => {
      waiting.delete(hostname)
      for (const each of callbacks) each(error, addresses)
    })
  }
}

export const systemResolve: Resolve = (hostname, callback) =>
  dns.lookup(hostname, { all: true }, (error, addresses) => callback(error, addresses ?? []))

/** Answers with the allowed addresses; if there were only others, with a refusal. */
const guardedLookup =
  (guard: AddressGuard, resolve: Resolve, resolved: () => void): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, (error, addresses) => {
      const verdicts = addresses.map((entry) => ({ ...entry, verdict: guard.check(entry.address) }))
      const usable = verdicts.filter(({ verdict }) => verdict.allowed)
      const [first] = usable
      if (error === null) resolved()
      if (error !== null) callback(error, '')
      else if (first === undefined) callback(nothingUsable(verdicts[0]), '')
      else if (options.all)
        callback(
          null,
          usable.map(({ address, family }) => ({ address, family })),
        )
      else callback(null, first.address, first.family)
    })
  }

const nothingUsable = (first: { address: string; verdict: ReturnType<AddressGuard['check']> } | undefined): Error =>
  first === undefined || first.verdict.allowed
    ? new DialError('dns', new Error('the name has no address'))
    : new AddressRefusedError(first.address, first.verdict.reason)

const refusalOf = (guard: AddressGuard, address: string): AddressRefusedError | undefined => {
  const verdict = guard.check(address)
  return verdict.allowed ? undefined : new AddressRefusedError(address, verdict.reason)
}

const asDialError = (error: Error, phase: DialPhase): Error =>
  error instanceof AddressRefusedError || error instanceof DialError ? error : new DialError(phase, error)

export interface ConnectorOptions {
  readonly guard: AddressGuard
  readonly resolve: Resolve
  /** Certificates to trust instead of the well-known ones. */
  readonly ca?: string | undefined
}

/** Has no time limit of its own: the deadline of the attempt destroys the socket. */
export const makeConnector =
  ({ guard, resolve, ca }: ConnectorOptions) =>
  (observer: DialObserver): buildConnector.connector =>
  ({ hostname, protocol, port }, callback) => {
    const literal = isIP(hostname) !== 0
    // A literal address is never looked up, so it is judged here.
    const refusal = literal ? refusalOf(guard, hostname) : undefined
    if (refusal !== undefined) {
      queueMicrotask(() => callback(refusal, null))
      return
    }
    const secure = protocol === 'https:'
    let phase: DialPhase = literal ? 'connect' : 'dns'
    const reached = (done: DialPhase, next: DialPhase): void => {
      observer.reached(done)
      phase = next
    }
    const options = {
      host: hostname,
      port: port === '' ? (secure ? 443 : 80) : Number(port),
      lookup: guardedLookup(guard, resolve, () => reached('dns', 'connect')),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    }
    const socket: Socket = secure
      ? tlsConnect({
          ...options,
          ALPNProtocols: ['http/1.1'],
          ...(literal ? {} : { servername: hostname }),
          ...(ca === undefined ? {} : { ca }),
        })
      : tcpConnect(options)
    let open = true
    const settle = (error: Error | null): void => {
      if (!open) return
      open = false
      if (error === null) callback(null, socket)
      else callback(asDialError(error, phase), null)
    }
    observer.dialling(socket)
    socket.on('connectionAttempt', (address: string) => observer.trying(address))
    // Before any other listener: TLS starts its handshake in one.
    socket.prependOnceListener('connect', () => {
      const peer = socket.remoteAddress
      if (peer !== undefined) observer.trying(peer)
      // A peer that is gone again has no address left to judge.
      const late = peer === undefined ? new Error('closed while connecting') : refusalOf(guard, peer)
      if (late !== undefined) {
        socket.destroy(late)
        return
      }
      reached('connect', 'tls')
      if (!secure) settle(null)
    })
    socket.once('secureConnect', () => {
      observer.reached('tls')
      settle(null)
    })
    socket.on('error', settle)
    socket.once('close', () => settle(new Error('closed while connecting')))
  }
