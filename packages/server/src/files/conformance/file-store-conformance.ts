/** What every store of files must do, whatever it is: run by the test of each. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { AppId } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../kernel/clock.ts'
import { makeIds } from '../../kernel/ids.ts'
import type { FileKey } from '../../storage/sql/messages/files.ts'
import type { FileStore, Received } from '../file-store.ts'
import { makeReceiver } from '../receive.ts'

const ids = makeIds(systemClock)

export interface Opened {
  readonly store: FileStore
  close(): Promise<void>
}

export const fileStoreConformance = (name: string, open: (dataDir: string) => Promise<Opened>): void => {
  describe(`${name}: conformance`, () => {
    let dataDir: string
    let opened: Opened
    let store: FileStore
    beforeAll(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'confab-files-'))
      opened = await open(dataDir)
      store = opened.store
    })
    afterAll(async () => {
      await opened.close()
      await rm(dataDir, { recursive: true, force: true })
    })

    const keyOf = (appId = 'my-app'): FileKey => ({ appId: appId as AppId, id: ids.file() })
    const receive = (...parts: readonly string[]): Promise<Received> =>
      makeReceiver({ dataDir, ids }).receive(
        (async function* () {
          for (const part of parts) yield Buffer.from(part)
        })(),
        { field: 'file', bytes: 50_000_000 },
      )
    const put = async (key: FileKey, ...parts: readonly string[]): Promise<void> => {
      const received = await receive(...parts)
      await store.put(key, received, { mimeType: 'text/plain' })
      await received.discard()
    }
    const read = async (key: FileKey, start: number, end: number): Promise<string | undefined> => {
      const stream = await store.open(key, { start, end })
      return stream === undefined ? undefined : (await buffer(stream)).toString()
    }

    test('what is put is read, whole and in parts', async () => {
      const key = keyOf()
      await put(key, 'hello', ', ', 'world')
      expect(await read(key, 0, 11)).toBe('hello, world')
      expect(await read(key, 0, 0)).toBe('h')
      expect(await read(key, 7, 11)).toBe('world')
      expect(await read(key, 11, 11)).toBe('d')
    })

    test('each app and each id has its own', async () => {
      const key = keyOf()
      await put(key, 'one')
      await put({ ...key, appId: 'other_App-2' as AppId }, 'two')
      expect([await read(key, 0, 2), await read({ ...key, appId: 'other_App-2' as AppId }, 0, 2)]).toEqual([
        'one',
        'two',
      ])
      expect(await read({ ...key, id: ids.file() }, 0, 2)).toBeUndefined()
      expect(await read({ ...key, appId: 'third' as AppId }, 0, 2)).toBeUndefined()
    })

    test('what is removed is gone, and may be removed again', async () => {
      const [key, other] = [keyOf(), keyOf()]
      await put(key, 'one')
      await put(other, 'two')
      await store.remove(key)
      await store.remove(key)
      await store.remove(keyOf('no-such-app'))
      expect([await read(key, 0, 2), await read(other, 0, 2)]).toEqual([undefined, 'two'])
    })

    test('nothing of what came in stays beside it', async () => {
      const received = await receive('x')
      await store.put(keyOf(), received, { mimeType: 'text/plain' })
      await received.discard()
      expect(existsSync(received.path)).toBe(false)
    })

    test('a large file comes through byte for byte, and its reader may leave early', async () => {
      const key = keyOf()
      const part = Array.from({ length: 100_000 }, (_, n) => String.fromCharCode(97 + (n % 26))).join('')
      await put(key, ...Array<string>(50).fill(part))
      expect(await read(key, 0, 4_999_999)).toBe(part.repeat(50))
      const stream = await store.open(key, { start: 0, end: 4_999_999 })
      for await (const chunk of stream ?? []) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      expect(await read(key, 4_999_990, 4_999_999)).toBe(part.slice(-10))
    })

    test('many at once', async () => {
      const keys = Array.from({ length: 20 }, () => keyOf())
      await Promise.all(keys.map((key) => put(key, key.id)))
      expect(await Promise.all(keys.map((key) => read(key, 0, 39)))).toEqual(keys.map((key) => key.id))
    })

    test('says where it is', async () => {
      expect(await store.check()).toMatch(/^in /)
    })
  })
}
