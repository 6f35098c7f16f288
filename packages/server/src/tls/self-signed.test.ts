import { execFileSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { developmentCertificate } from './development.ts'
import { selfSigned } from './self-signed.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 1)
const hosts = ['localhost', '*.localhost', '127.0.0.1', '::1', `${'long-name.'.repeat(20)}example`]
const of = (notAfterMs = NOW + DAY) => selfSigned({ name: 'Zoë', hosts, notBeforeMs: NOW, notAfterMs })

const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('a certificate is what it should be, for its hosts and no others', () => {
  const { cert, key } = of()
  const known = new X509Certificate(cert)
  expect(known.verify(known.publicKey)).toBe(true)
  expect(known.checkIssued(known)).toBe(true)
  expect(known.checkPrivateKey(createPrivateKey(key))).toBe(true)
  expect([known.ca, known.subject, known.issuer]).toEqual([false, 'CN=Zoë', 'CN=Zoë'])
  expect([known.validFrom, known.validTo].map(Date.parse)).toEqual([NOW, NOW + DAY])
  expect(known.checkHost('localhost')).toBe('localhost')
  // Not every client takes a wildcard so far up.
  expect(known.subjectAltName).toContain('DNS:*.localhost')
  for (const address of ['127.0.0.1', '::1']) expect(known.checkIP(address)).toBeDefined()
  expect([known.checkHost('example'), known.checkIP('127.0.0.2')]).toEqual([undefined, undefined])
})

test('OpenSSL takes it, too, also beyond 2049; no two are alike', () => {
  const file = join(temporaryFolder(), 'x.crt')
  const texts = [of(), of(), of(Date.UTC(2060, 5, 7))].map(({ cert }) => {
    writeFileSync(file, cert)
    return execFileSync('openssl', ['x509', '-in', file, '-noout', '-serial', '-enddate', '-ext', 'subjectAltName'], {
      encoding: 'utf8',
    })
  })
  expect(texts[0]).toContain('DNS:localhost, DNS:*.localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1')
  expect(texts[2]).toContain('notAfter=Jun  7 00:00:00 2060 GMT')
  expect(new Set(texts.map((text) => /serial=(\w+)/.exec(text)?.[1])).size).toBe(3)
})

test('the one of development is made once, for its owner alone, and renewed in time', async () => {
  const folder = temporaryFolder()
  const files = await developmentCertificate(folder, NOW)
  const [cert, key] = [readFileSync(files.certFile, 'utf8'), readFileSync(files.keyFile, 'utf8')]
  expect(statSync(files.keyFile).mode & 0o777).toBe(0o600)
  expect(new X509Certificate(cert).subjectAltName).toContain(hostname().toLowerCase())
  const later = async (ms: number): Promise<string> =>
    readFileSync((await developmentCertificate(folder, ms)).certFile, 'utf8')
  expect(await later(NOW + 300 * DAY)).toBe(cert)
  const renewed = await later(NOW + 340 * DAY)
  expect(renewed).not.toBe(cert)
  expect(readFileSync(files.keyFile, 'utf8')).not.toBe(key)
  expect(statSync(files.keyFile).mode & 0o777).toBe(0o600)
  writeFileSync(files.certFile, 'broken')
  expect(await later(NOW + 341 * DAY)).toContain('BEGIN CERTIFICATE')
})
