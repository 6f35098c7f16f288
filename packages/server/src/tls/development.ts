/** The certificate of `confab dev --tls`: made when it is first wanted, and kept, so that it need be trusted only once. */
import { X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { makeFolder } from '../kernel/make-folder.ts'
import type { PairFiles } from './pair.ts'
import { selfSigned } from './self-signed.ts'

const DAY_MS = 86_400_000
const GOOD_FOR_MS = 365 * DAY_MS
/** Clocks of other machines, and of virtual ones, may be behind. */
const SINCE_MS = DAY_MS
const RENEW_BEFORE_MS = 30 * DAY_MS

/** `*.localhost`: hosts of apps and of extensions. */
const hostsHere = (): string[] => {
  const own = hostname().toLowerCase()
  const hosts = ['localhost', '*.localhost', '127.0.0.1', '::1']
  return /^[a-z0-9.-]+$/.test(own) && !hosts.includes(own) ? [...hosts, own] : hosts
}

const isGood = ({ certFile, keyFile }: PairFiles, hosts: readonly string[], nowMs: number): boolean => {
  if (!existsSync(certFile) || !existsSync(keyFile)) return false
  try {
    const known = new X509Certificate(readFileSync(certFile))
    const covers = hosts.every((host) =>
      host.startsWith('*.')
        ? known.subjectAltName?.includes(`DNS:${host}`)
        : (known.checkHost(host) ?? known.checkIP(host)),
    )
    return covers && Date.parse(known.validTo) - nowMs > RENEW_BEFORE_MS
  } catch {
    return false
  }
}

/** Whole, or not at all: a killed start must leave nothing that the next one cannot read. */
const replace = (file: string, text: string, mode: number): void => {
  writeFileSync(`${file}.new`, text, { mode })
  chmodSync(`${file}.new`, mode)
  renameSync(`${file}.new`, file)
}

export const developmentCertificate = async (dataDir: string, nowMs: number): Promise<PairFiles> => {
  const folder = resolve(dataDir, 'tls')
  const files = { certFile: join(folder, 'development.crt'), keyFile: join(folder, 'development.key') }
  const hosts = hostsHere()
  if (isGood(files, hosts, nowMs)) {
    chmodSync(files.keyFile, 0o600)
    return files
  }
  await makeFolder(folder)
  const times = { notBeforeMs: nowMs - SINCE_MS, notAfterMs: nowMs + GOOD_FOR_MS }
  const { cert, key } = selfSigned({ name: 'Confab development', hosts, ...times })
  replace(files.keyFile, key, 0o600)
  replace(files.certFile, cert, 0o644)
  return files
}
