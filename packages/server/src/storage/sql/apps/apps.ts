import { type ApiKey, type AppId, DEFAULT_ROLE, type KeyScope } from '@confab/protocol'
import { AppError } from '../../../kernel/app-error.ts'
import type { Page, PageRequest } from '../../../kernel/paging.ts'
import { countOf, pageOf, prefix } from '../lists.ts'
import { assertQuota } from '../quotas.ts'
import { read, statement, type Tx, write } from '../seam.ts'

export interface App {
  readonly id: AppId
  readonly name: string
  readonly createdAt: number
}

/** A key with the app it opens. */
export interface KeyOfApp extends ApiKey {
  readonly appId: AppId
}

interface AppRow {
  id: AppId
  name: string
  created_at: number
}
interface KeyRow {
  key: string
  app_id: AppId
  name: string
  scope: KeyScope
  created_at: number
}

const findApp = statement<{ id: string }, AppRow>('apps.find', 'SELECT id, name, created_at FROM apps WHERE id = :id')
const listApps = statement<Record<string, never>, AppRow>(
  'apps.list',
  'SELECT id, name, created_at FROM apps ORDER BY created_at, id LIMIT 1000',
)
const insertApp = statement<{ id: string; name: string; now: number }>(
  'apps.insert',
  'INSERT INTO apps (id, name, created_at) VALUES (:id, :name, :now) ON CONFLICT (id) DO NOTHING',
)
export const lockApp = statement<{ id: string }, { id: string }>(
  'apps.lock',
  'SELECT id FROM apps WHERE id = :id {FOR_UPDATE}',
)

/** Every app has it from its beginning. */
const insertDefaultRole = statement<{ app: string; role: string; name: string; now: number }>(
  'roles.insert_default',
  `INSERT INTO roles (app_id, role, name, created_at) VALUES (:app, :role, :name, :now)
   ON CONFLICT (app_id, role) DO NOTHING`,
)

const findKey = statement<{ key: string }, KeyRow>(
  'keys.find',
  'SELECT key, app_id, name, scope, created_at FROM api_keys WHERE key = :key',
)
const countKeys = statement<{ app: string }, { n: number }>(
  'keys.count',
  'SELECT count(*) AS n FROM api_keys WHERE app_id = :app',
)
const insertKey = statement<{ key: string; app: string; name: string; scope: string; now: number }>(
  'keys.insert',
  `INSERT INTO api_keys (key, app_id, name, scope, created_at) VALUES (:key, :app, :name, :scope, :now)
   ON CONFLICT (key) DO NOTHING`,
)
const deleteKeysNamed = statement<{ app: string; name: string; scope: string }>(
  'keys.delete_named',
  'DELETE FROM api_keys WHERE app_id = :app AND name = :name AND scope = :scope',
)
const updateKey = statement<{ key: string; app: string; name: string; scope: string }>(
  'keys.update',
  'UPDATE api_keys SET name = :name, scope = :scope WHERE key = :key AND app_id = :app',
)
const deleteKey = statement<{ key: string; app: string }>(
  'keys.delete',
  'DELETE FROM api_keys WHERE key = :key AND app_id = :app',
)

const toApp = (row: AppRow): App => ({ id: row.id, name: row.name, createdAt: row.created_at })
const toKey = (row: KeyRow): KeyOfApp => ({
  apiKey: row.key,
  name: row.name,
  scope: row.scope,
  createdAt: row.created_at,
  appId: row.app_id,
})

interface NewKey {
  readonly key: string
  readonly name: string
  readonly scope: KeyScope
}

const insertKeys = async (
  tx: Tx,
  { id, keys, now }: { id: AppId; keys: readonly NewKey[]; now: number },
): Promise<void> => {
  for (const { key, name, scope } of keys) {
    await tx.run(insertKey, { key, app: id, name, scope, now })
    const stored = await tx.first(findKey, { key })
    if (stored?.app_id !== id || stored.scope !== scope) {
      throw new Error(`${name}: this key belongs to another app or has another scope already`)
    }
  }
}

interface NewApp {
  readonly id: AppId
  readonly name: string
  readonly keys: readonly NewKey[]
  readonly now: number
}

/** False if there is one. */
const insert = async (tx: Tx, input: NewApp): Promise<boolean> => {
  const isNew = (await tx.run(insertApp, { id: input.id, name: input.name, now: input.now })) > 0
  await tx.run(insertDefaultRole, { app: input.id, role: DEFAULT_ROLE, name: 'Default Role', now: input.now })
  return isNew
}

const requireRoomForKey = async (tx: Tx, app: AppId): Promise<void> => {
  await tx.first(lockApp, { id: app })
  const count = await tx.first(countKeys, { app })
  assertQuota(tx, 'apiKeysPerApp', count?.n ?? 0)
}

export const apps = {
  find: read(async (tx, { id }: { id: AppId }): Promise<App | undefined> => {
    const row = await tx.first(findApp, { id })
    return row && toApp(row)
  }),

  list: read(async (tx, _: Record<string, never>): Promise<readonly App[]> => (await tx.all(listApps, {})).map(toApp)),

  /** Creates the app and its keys, or leaves them as they are. A key that belongs to another app is an error. */
  ensure: write(async (tx, input: NewApp): Promise<App> => {
    await insert(tx, input)
    await insertKeys(tx, input)
    const row = await tx.first(findApp, { id: input.id })
    if (row === undefined) throw new Error('the app was not created')
    return toApp(row)
  }),

  /** Nothing if there is one of that id. */
  create: write(async (tx, input: NewApp): Promise<App | undefined> => {
    if (!(await insert(tx, input))) return undefined
    await insertKeys(tx, input)
    return { id: input.id, name: input.name, createdAt: input.now }
  }),
}

export const apiKeys = {
  find: read(async (tx, { key }: { key: string }): Promise<KeyOfApp | undefined> => {
    const row = await tx.first(findKey, { key })
    return row && toKey(row)
  }),

  list: read(
    async (
      tx,
      input: { appId: AppId; scope?: KeyScope; searchKey?: string; page: PageRequest },
    ): Promise<Page<ApiKey>> => {
      let query = tx.build.selectFrom('api_keys').where('app_id', '=', input.appId)
      if (input.scope !== undefined) query = query.where('scope', '=', input.scope)
      if (input.searchKey) query = query.where(prefix('name', input.searchKey))
      const rows = await pageOf(tx, query.selectAll().orderBy('created_at', 'desc').orderBy('key'), input.page)
      return { rows: rows.map(toKey), total: await countOf(tx, query) }
    },
  ),

  create: write(async (tx, input: NewKey & { appId: AppId; now: number }): Promise<ApiKey> => {
    await requireRoomForKey(tx, input.appId)
    const { key, name, scope, now } = input
    await tx.run(insertKey, { key, app: input.appId, name, scope, now })
    return { apiKey: key, name, scope, createdAt: now }
  }),

  /** A new key in place of those of its name and scope, or beside them; answers how many of them went. */
  rotate: write(async (tx, input: NewKey & { appId: AppId; now: number; keepsOld: boolean }): Promise<number> => {
    const { appId: app, key, name, scope, now } = input
    const removed = input.keepsOld ? 0 : await tx.run(deleteKeysNamed, { app, name, scope })
    await requireRoomForKey(tx, app)
    await tx.run(insertKey, { key, app, name, scope, now })
    return removed
  }),

  update: write(async (tx, input: { appId: AppId; key: string; name?: string; scope?: KeyScope }): Promise<ApiKey> => {
    const row = await tx.first(findKey, { key: input.key })
    if (row?.app_id !== input.appId) throw new AppError('ERR_APIKEY_NOT_FOUND')
    const { name = row.name, scope = row.scope } = input
    await tx.run(updateKey, { key: input.key, app: input.appId, name, scope })
    return toKey({ ...row, name, scope })
  }),

  remove: write(async (tx, input: { appId: AppId; key: string }): Promise<void> => {
    if ((await tx.run(deleteKey, { key: input.key, app: input.appId })) === 0)
      throw new AppError('ERR_APIKEY_NOT_FOUND')
  }),
}
