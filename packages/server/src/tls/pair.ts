/** A certificate and its key, as files have them: read, and looked at before anybody is served with them. */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'

export interface PairFiles {
  readonly certFile: string
  readonly keyFile: string
}

export interface Pair {
  readonly cert: Buffer
  readonly key: Buffer
  /** Of both texts: another one is another pair. */
  readonly digest: string
  readonly notAfterMs: number
}

/** The files cannot be used. Says which, and why; never what is in them. */
export class TlsError extends Error {
  constructor(why: string, options?: { cause: unknown }) {
    super(why, options)
    this.name = 'TlsError'
  }
}

const readWhole = async (file: string): Promise<Buffer> => {
  try {
    return await readFile(file)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : ''
    throw new TlsError(`${file} cannot be read${code}.`, { cause })
  }
}

/** Errors of the library are not handed on: they may quote. */
const parsed = <T>(parse: () => T, problem: string): T => {
  try {
    return parse()
  } catch {
    throw new TlsError(problem)
  }
}

export const readTexts = async ({ certFile, keyFile }: PairFiles): Promise<Omit<Pair, 'notAfterMs'>> => {
  const [cert, key] = [await readWhole(certFile), await readWhole(keyFile)]
  return { cert, key, digest: createHash('sha256').update(cert).update('\0').update(key).digest('hex') }
}

/** @throws {TlsError} if nobody could be served with it */
export const checkPair = (texts: Omit<Pair, 'notAfterMs'>, { certFile, keyFile }: PairFiles, nowMs: number): Pair => {
  const { cert, key } = texts
  const leaf = parsed(() => new X509Certificate(cert), `${certFile} holds no certificate in PEM.`)
  const secret: KeyObject = parsed(
    () => createPrivateKey(key),
    `${keyFile} holds no private key in PEM, or one with a passphrase.`,
  )
  if (!leaf.checkPrivateKey(secret)) throw new TlsError(`${keyFile} is not the key of the certificate in ${certFile}.`)
  const [notBeforeMs, notAfterMs] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
  if (notAfterMs <= nowMs) throw new TlsError(`The certificate in ${certFile} has expired (${leaf.validTo}).`)
  if (notBeforeMs > nowMs) throw new TlsError(`The certificate in ${certFile} is not valid yet (${leaf.validFrom}).`)
  parsed(() => createSecureContext({ cert, key }), `${certFile} and ${keyFile} cannot be used for TLS.`)
  return { ...texts, notAfterMs }
}

export const readPair = async (files: PairFiles, nowMs: number): Promise<Pair> =>
  checkPair(await readTexts(files), files, nowMs)
