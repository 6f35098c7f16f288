/**
 * The certificate that the server speaks https with. Its files are looked at again and again, by content: whoever renews
 * them may write, rename or turn a link. A new pair is for new connections; those that are there go on. A pair that cannot
 * be used is logged once, and the one before it stays.
 */
import type { RequestListener, Server, ServerOptions } from 'node:http'
import { createServer, type Server as TlsServer } from 'node:https'
import type { Clock } from '../kernel/clock.ts'
import type { Logger } from '../kernel/logger.ts'
import { checkPair, type Pair, type PairFiles, readPair, readTexts, TlsError } from './pair.ts'

const LOOK_EVERY_MS = 2000
const DAY_MS = 86_400_000
/** Who renews by itself has done so by then. */
const WARN_BEFORE_MS = 14 * DAY_MS
/** A handshake that does not come to its end must not keep the server from stopping. */
const HANDSHAKE_WITHIN_MS = 10_000
/** As the server without TLS. */
const KEEP_ALIVE_MS = 72_000

export interface CertificateDeps {
  readonly files: PairFiles
  readonly clock: Clock
  readonly log: Logger
}

export class Certificate {
  readonly #deps: CertificateDeps
  readonly #servers = new Set<TlsServer>()
  #pair: Pair
  /** What could not be used when it was looked at last. */
  #broken: { readonly what: string; readonly isLogged: boolean } | undefined
  #warnedDay = 0
  #looking: NodeJS.Timeout | undefined
  #isBusy = false

  private constructor(deps: CertificateDeps, pair: Pair) {
    this.#deps = deps
    this.#pair = pair
  }

  /** @throws {TlsError} */
  static async open(deps: CertificateDeps): Promise<Certificate> {
    const certificate = new Certificate(deps, await readPair(deps.files, deps.clock.now()))
    certificate.#warn()
    certificate.#looking = setInterval(() => void certificate.look(), LOOK_EVERY_MS)
    certificate.#looking.unref()
    return certificate
  }

  /** Unix milliseconds. */
  get notAfterMs(): number {
    return this.#pair.notAfterMs
  }

  makeServer(handler: RequestListener, options: ServerOptions): Server {
    const { cert, key } = this.#pair
    const server = createServer({ cert, key, handshakeTimeout: HANDSHAKE_WITHIN_MS, ...options }, handler)
    server.keepAliveTimeout = KEEP_ALIVE_MS
    // See slow-bodies.ts.
    server.requestTimeout = 0
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
    return server
  }

  close(): void {
    clearInterval(this.#looking)
  }

  /** Never fails: it is nobody's request. */
  async look(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    let what = 'unreadable'
    try {
      const texts = await readTexts(this.#deps.files)
      what = texts.digest
      if (what === this.#pair.digest) this.#broken = undefined
      else if (what !== this.#broken?.what || !this.#broken.isLogged) this.#take(texts)
    } catch (error) {
      this.#fail(what, error)
    } finally {
      this.#isBusy = false
    }
    this.#warn()
  }

  #take(texts: Omit<Pair, 'notAfterMs'>): void {
    const { files, clock, log } = this.#deps
    const pair = checkPair(texts, files, clock.now())
    for (const server of this.#servers) server.setSecureContext({ cert: pair.cert, key: pair.key })
    this.#pair = pair
    this.#broken = undefined
    log.info({ notAfter: new Date(pair.notAfterMs).toISOString() }, 'tls.reloaded')
  }

  /** Half of a new pair is no failure yet: whoever writes it may be between its two files. */
  #fail(what: string, error: unknown): void {
    const wasSeen = this.#broken?.what === what
    if (wasSeen && !this.#broken?.isLogged) {
      const reason = error instanceof TlsError ? error.message : 'The files cannot be used.'
      this.#deps.log.error({ reason, consequence: 'the certificate before it stays' }, 'tls.reload_failed')
    }
    this.#broken = { what, isLogged: wasSeen }
  }

  #warn(): void {
    const { clock, log } = this.#deps
    const [nowMs, { notAfterMs }] = [clock.now(), this.#pair]
    const day = Math.floor(nowMs / DAY_MS)
    if (notAfterMs - nowMs > WARN_BEFORE_MS || day === this.#warnedDay) return
    this.#warnedDay = day
    log.warn({ notAfter: new Date(notAfterMs).toISOString() }, 'tls.expires_soon')
  }
}

/** Nothing where none is configured. */
export const openCertificate = async (
  { tlsCert, tlsKey }: { tlsCert: string | undefined; tlsKey: string | undefined },
  deps: { clock: Clock; log: Logger },
): Promise<Certificate | undefined> =>
  tlsCert === undefined || tlsKey === undefined
    ? undefined
    : Certificate.open({ ...deps, files: { certFile: tlsCert, keyFile: tlsKey } })
