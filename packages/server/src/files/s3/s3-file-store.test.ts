import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { AppId } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Logger } from '../../kernel/logger.ts'
import type { FileKey } from '../../storage/sql/messages/files.ts'
import { type S3TestServer, s3Credentials, startS3TestServer } from '../../testing/s3-server.ts'
import { fileStoreConformance } from '../conformance/file-store-conformance.ts'
import type { FileStore } from '../file-store.ts'
import { openS3FileStore, type S3Settings } from './s3-file-store.ts'

const nothing = (): void => {}
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
const bucket = 'my-bucket'

const settingsOf = (endpoint: string, more: Partial<S3Settings> = {}): S3Settings => ({
  ...{ endpoint, bucket, ...s3Credentials, prefix: 'some/prefix/', pathStyle: true, redirect: true },
  ...more,
})

fileStoreConformance('S3', async () => {
  const s3 = await startS3TestServer({ bucket })
  const store = openS3FileStore(settingsOf(s3.endpoint), { log: silent })
  return {
    store,
    close: async () => {
      await store.close()
      await s3.close()
    },
  }
})

describe('S3', () => {
  let s3: S3TestServer
  let store: FileStore
  let folder: string
  const warnings: string[] = []
  const log: Logger = { ...silent, warn: (...line: unknown[]) => void warnings.push(JSON.stringify(line)) }
  beforeAll(async () => {
    s3 = await startS3TestServer({ bucket })
    store = openS3FileStore(settingsOf(s3.endpoint), { log })
    folder = await mkdtemp(join(tmpdir(), 'confab-files-'))
  })
  afterAll(async () => {
    await store.close()
    await s3.close()
    await rm(folder, { recursive: true, force: true })
  })

  const key: FileKey = { appId: 'app' as AppId, id: 'a'.repeat(40) }
  const put = async (to: FileStore = store): Promise<void> => {
    const path = join(folder, 'file')
    await writeFile(path, 'hello')
    await to.put(key, { path, size: 5, discard: async () => {} }, { mimeType: 'text/html' })
  }

  test('objects are under the prefix, by app and id', async () => {
    await put()
    expect([...s3.objects.keys()]).toEqual([`some/prefix/app/${key.id}`])
    expect(s3.requests.at(-1)).toBe(`PUT /${bucket}/some/prefix/app/${key.id}`)
    expect(await store.check()).toContain(bucket)
    expect(s3.objects.size).toBe(1)
  })

  test('what passes is tried again, with the whole body; what does not is not', async () => {
    s3.failNext(503, 'reset')
    await put()
    expect(s3.objects.get(`some/prefix/app/${key.id}`)?.toString()).toBe('hello')
    s3.failNext(500, 500, 500)
    await expect(put()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
    expect(warnings.at(-1)).toContain('status 500, SlowDown')
    const before = s3.requests.length
    const wrong = openS3FileStore(settingsOf(s3.endpoint, { secretKey: 'wrong' }), { log })
    await expect(put(wrong)).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
    await expect(wrong.open(key, { start: 0, end: 1 })).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
    await wrong.close()
    expect(s3.requests.length).toBe(before + 2)
    expect(warnings.at(-1)).toContain('SignatureDoesNotMatch')
    expect(warnings.join()).not.toContain(s3Credentials.secretKey)
  })

  test('a service that is not there is unavailable', async () => {
    const away = openS3FileStore(settingsOf('http://127.0.0.1:1'), { log })
    await expect(away.check()).rejects.toMatchObject({ code: 'ERR_SERVICE_UNAVAILABLE' })
    await away.close()
  })

  test('a link is good for itself, says how the file is shown, and cannot be changed', async () => {
    await put()
    const disposition = `attachment; filename="a b.html"; filename*=UTF-8''%C3%84%20%27b%28%29.html`
    const link = await store.link?.(key, { contentType: 'application/octet-stream', disposition })
    const response = await fetch(link ?? '')
    expect([response.status, await response.text()]).toEqual([200, 'hello'])
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(response.headers.get('content-disposition')).toBe(disposition)
    const changed = (link ?? '').replace('octet-stream', 'html')
    expect((await fetch(changed)).status).toBe(403)
    expect((await fetch((link ?? '').replace('a'.repeat(40), 'b'.repeat(40)))).status).toBe(403)
    expect(link).not.toContain(encodeURIComponent(s3Credentials.secretKey))
    const without = openS3FileStore(settingsOf(s3.endpoint, { redirect: false }), { log })
    expect(without.link).toBeUndefined()
    await without.close()
  })

  test('the bucket may stand in front of the host', async () => {
    const host = openS3FileStore(settingsOf('https://s3.example:9000', { pathStyle: false, prefix: '' }), { log })
    const link = new URL((await host.link?.(key, { contentType: 'a/b', disposition: 'inline' })) ?? '')
    expect([link.host, link.pathname]).toEqual(['my-bucket.s3.example:9000', `/app/${key.id}`])
    await host.close()
  })

  test('the reader of a part gets that part', async () => {
    await put()
    const stream = await store.open(key, { start: 1, end: 3 })
    expect(stream && (await buffer(stream)).toString()).toBe('ell')
  })
})
