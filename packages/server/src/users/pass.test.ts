import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AppId, defaultLimits } from '@confab/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '../storage/open-store.ts'
import type { Store } from '../storage/store.ts'
import { makeWorld, uidOf } from '../testing/builders.ts'
import { makeCheckPass, passOf } from './pass.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'confab-pass-'))
const nobody = { platform: null, userAgent: null, appInfo: null }
const uid = uidOf('alice')
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
let store: Store
let alice: { appId: AppId; uid: typeof uid }
let checkPass: ReturnType<typeof makeCheckPass>

const give = (who: { appId: AppId; uid: typeof uid }, token: string) =>
  store.authTokens.create({ ...who, ...nobody, token, fresh: true, now: 1 })

beforeAll(async () => {
  ;({ store } = await openStore({ dataDir, databaseUrl: undefined, limits: defaultLimits, log: quiet }))
  const [one, other] = [await makeWorld(store), await makeWorld(store)]
  await one.users('alice', 'bob')
  await other.user('alice')
  alice = { appId: one.appId, uid }
  for (const token of ['alice_1a', 'alice_1b', 'alice_1c']) await give(alice, token)
  await give({ ...alice, uid: uidOf('bob') }, 'bob_1')
  await give({ appId: other.appId, uid }, 'alice_2')
  await store.authTokens.remove({ ...alice, token: 'alice_1c' })
  checkPass = makeCheckPass({ store })
})
afterAll(async () => {
  await store.close()
  rmSync(dataDir, { recursive: true })
})

test('a pass opens what its token opens, and nothing else', async () => {
  for (const authToken of ['alice_1a', 'alice_1b']) {
    expect(await checkPass(passOf({ ...alice, authToken }))).toEqual({ ...alice, authToken })
  }
  const gone = ['alice_1c', 'bob_1', 'alice_2', '', 'ALICE_1A']
  for (const authToken of gone) expect(await checkPass(passOf({ ...alice, authToken })), authToken).toBeUndefined()
  expect(await checkPass(passOf({ ...alice, uid: uidOf('nobody'), authToken: 'alice_1a' }))).toBeUndefined()
})

test('a pass shows nothing of its token, and is the same every time', () => {
  const pass = passOf({ ...alice, authToken: 'alice_1a' })
  expect(pass).toMatch(/^[\w-]+\.[\w-]+\.[\w-]{43}$/)
  expect(pass).toBe(passOf({ ...alice, authToken: 'alice_1a' }))
  for (const form of [
    'alice_1a',
    Buffer.from('alice_1a').toString('base64url'),
    Buffer.from('alice_1a').toString('hex'),
  ])
    expect(pass).not.toContain(form)
})

test('what was made up or changed opens nothing, and fails nothing', async () => {
  const pass = passOf({ ...alice, authToken: 'alice_1a' })
  const [app = '', uid = '', seal = ''] = pass.split('.')
  const upper = Buffer.from('ALICE').toString('base64url')
  const texts = [
    '',
    '.',
    '..',
    '...',
    'alice_1a',
    `${app}.${uid}`,
    `${app}.${uid}.`,
    `${pass}.`,
    `${pass}=`,
    `${pass} `,
    `${app}=.${uid}.${seal}`,
    `${app}.${upper}.${seal}`,
    `${uid}.${app}.${seal}`,
    `${app}.${Buffer.from('a\0').toString('base64url')}.${seal}`,
    `${app}.${uid}.${'é'.repeat(43)}`,
    'x'.repeat(100_000),
  ]
  for (const text of texts) expect(await checkPass(text), text.slice(0, 80)).toBeUndefined()
  for (let at = 0; at < pass.length; at++) {
    const changed = pass.slice(0, at) + (pass[at] === 'A' ? 'B' : 'A') + pass.slice(at + 1)
    expect(await checkPass(changed), changed).toBeUndefined()
  }
})
