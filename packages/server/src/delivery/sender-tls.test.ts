import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { callbackTo, delivery, receiverWith, senderWith } from '../testing/sender-suite.ts'
import { selfSigned } from '../tls/self-signed.ts'
import type { Resolve } from './connector.ts'

describe('TLS', () => {
  let dir = ''
  let tls = { key: '', cert: '' }
  beforeEach(() => {
    if (dir !== '') return
    dir = mkdtempSync(join(tmpdir(), 'confab-tls-'))
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const names = 'subjectAltName=DNS:localhost,DNS:bot.example'
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const request = ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=bot']
    execFileSync('openssl', [...request, '-addext', names], { stdio: 'ignore' })
    tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
    rmSync(dir, { recursive: true })
  })
  const resolve: Resolve = (_, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])

  it('refuses a self-signed certificate', async () => {
    const receiver = await receiverWith({ tls })
    const sender = senderWith({ resolve })
    const attempt = await sender.send(callbackTo(`https://bot.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({
      outcome: { kind: 'retry', reason: 'tls' },
      address: '127.0.0.1',
      status: undefined,
    })
    expect(attempt.error).toBe('TLS failed: the certificate is self-signed')
    expect(receiver.received).toHaveLength(0)
  })

  it.each([
    ['has expired', -2, -1, 'the certificate has expired'],
    ['is not valid yet', 1, 2, 'CERT_NOT_YET_VALID'],
  ])('refuses a certificate that %s, though it is trusted', async (_, fromDays, untilDays, why) => {
    const at = (days: number): number => Date.now() + days * 86_400_000
    const hosts = ['bot.example']
    const own = selfSigned({ name: 'bot', hosts, notBeforeMs: at(fromDays), notAfterMs: at(untilDays) })
    const receiver = await receiverWith({ tls: own })
    const sender = senderWith({ resolve, ca: own.cert })
    const attempt = await sender.send(callbackTo(`https://bot.example:${receiver.port}/`), delivery())
    expect(attempt).toMatchObject({ outcome: { kind: 'retry', reason: 'tls' }, error: `TLS failed: ${why}` })
    expect(receiver.received).toHaveLength(0)
  })

  it('delivers where the certificate is trusted, with every phase in its order, and keeps the connection', async () => {
    const receiver = await receiverWith({ tls })
    const sender = senderWith({ resolve, ca: tls.cert })
    const callback = callbackTo(`https://bot.example:${receiver.port}/`)
    const { outcome, phases } = await sender.send(callback, delivery())
    expect(outcome).toEqual({ kind: 'delivered' })
    const order = [phases.dns, phases.connect, phases.tls, phases.firstByte, phases.total]
    expect(order).not.toContain(undefined)
    expect(order).toEqual([...order].sort((a, b) => (a ?? 0) - (b ?? 0)))
    expect((await sender.send(callback, delivery())).phases.tls).toBeUndefined()
    expect(receiver.connections).toBe(1)
  })

  it('refuses a certificate for another host, and a peer that does not speak TLS', async () => {
    const receiver = await receiverWith({ tls })
    const sender = senderWith({ resolve, ca: tls.cert })
    const other = await sender.send(callbackTo(`https://other.example:${receiver.port}/`), delivery())
    expect(other).toMatchObject({
      outcome: { kind: 'retry', reason: 'tls' },
      error: 'TLS failed: the certificate is for another host',
    })
    const byAddress = await sender.send(callbackTo(receiver.url), delivery())
    expect(byAddress).toMatchObject({ outcome: { kind: 'retry', reason: 'tls' } })
    const plain = await receiverWith()
    const spoken = await sender.send(callbackTo(`https://bot.example:${plain.port}/`), delivery())
    expect(spoken).toMatchObject({ outcome: { kind: 'retry', reason: 'tls' } })
  })
})
