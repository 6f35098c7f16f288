/**
 * Files: what is known of each, and which messages have it. The bytes are elsewhere (`files/file-store.ts`).
 *
 * Invariants: a file has `expires_at` as long as no message has it, and no other; what has expired is given to nobody and
 * taken by no message, so that its bytes may go at any time; a row goes after its bytes, so that no bytes are forgotten.
 */
import type { AppId } from '@confab/protocol'
import { type Actor, actorUid } from '../../../kernel/actor.ts'
import { read, statement, type Tx, write } from '../seam.ts'
import { requireActor } from '../users/user-rows.ts'

type Id = { app: string; id: string }

interface FileRow {
  app_id: AppId
  id: string
  name: string
  mime_type: string
  size: number
  created_at: number
}

const COLUMNS = 'app_id, id, name, mime_type, size, created_at'

const insertFile = statement<
  Id & {
    uid: string
    name: string
    mimeType: string
    size: number
    now: number
    expiresAt: number
    uploadToken: string | null
  }
>(
  'files.insert',
  `INSERT INTO files (id, app_id, uid, name, mime_type, size, created_at, expires_at, upload_token)
   VALUES (:id, :app, :uid, :name, :mimeType, :size, :now, :expiresAt, :uploadToken)`,
)
const findFile = statement<Id & { now: number }, FileRow>(
  'files.find',
  `SELECT ${COLUMNS} FROM files
   WHERE id = :id AND app_id = :app AND upload_token IS NULL AND (expires_at IS NULL OR expires_at > :now)`,
)
const findAnnounced = statement<Id & { token: string; now: number }, FileRow>(
  'files.find_announced',
  `SELECT ${COLUMNS} FROM files WHERE id = :id AND app_id = :app AND upload_token = :token AND expires_at > :now`,
)
const completeFile = statement<Id & { token: string; now: number; expiresAt: number }>(
  'files.complete',
  `UPDATE files SET upload_token = NULL, created_at = :now, expires_at = :expiresAt
   WHERE id = :id AND app_id = :app AND upload_token = :token AND expires_at > :now`,
)
const takeFile = statement<Id & { now: number }>(
  'files.take',
  `UPDATE files SET expires_at = NULL
   WHERE id = :id AND app_id = :app AND upload_token IS NULL AND (expires_at IS NULL OR expires_at > :now)`,
)
const linkFile = statement<{ message: number; id: string }>(
  'files.link',
  'INSERT INTO message_files (message_id, file_id) VALUES (:message, :id) ON CONFLICT (message_id, file_id) DO NOTHING',
)
const linksOf = statement<{ message: number }, { file_id: string }>(
  'files.links',
  'SELECT file_id FROM message_files WHERE message_id = :message',
)
const unlinkFile = statement<{ message: number; id: string }>(
  'files.unlink',
  'DELETE FROM message_files WHERE message_id = :message AND file_id = :id',
)
const lockFile = statement<{ id: string }, { id: string }>(
  'files.lock',
  'SELECT id FROM files WHERE id = :id {FOR_UPDATE}',
)
const expireUnlinked = statement<{ id: string; now: number }>(
  'files.expire_unlinked',
  `UPDATE files SET expires_at = :now
   WHERE id = :id AND NOT EXISTS (SELECT 1 FROM message_files WHERE file_id = :id)`,
)
const expireUnused = statement<Id & { now: number }>(
  'files.expire_unused',
  'UPDATE files SET expires_at = :now WHERE id = :id AND app_id = :app AND expires_at IS NOT NULL',
)
const expired = statement<{ now: number; limit: number }, { app_id: AppId; id: string }>(
  'files.expired',
  'SELECT app_id, id FROM files WHERE expires_at <= :now ORDER BY expires_at, id LIMIT :limit',
)
const forgetFile = statement<Id & { now: number }>(
  'files.forget',
  'DELETE FROM files WHERE id = :id AND app_id = :app AND expires_at <= :now',
)

/** Where the bytes of a file are found. */
export interface FileKey {
  readonly appId: AppId
  readonly id: string
}

export interface StoredFile extends FileKey {
  readonly name: string
  readonly mimeType: string
  readonly size: number
  /** Unix seconds. */
  readonly createdAt: number
}

export interface NewFile extends FileKey {
  readonly name: string
  readonly mimeType: string
  readonly size: number
  /** Of a file that is still to come. */
  readonly uploadToken: string | null
}

const toFile = (row: FileRow): StoredFile => ({
  appId: row.app_id,
  id: row.id,
  name: row.name,
  mimeType: row.mime_type,
  size: row.size,
  createdAt: row.created_at,
})

/** In one order for all, so that nobody waits for somebody who waits for them. */
const inOrder = (ids: Iterable<string>): string[] => [...new Set(ids)].sort()

/** What is no file of the app, or is gone, is a link to elsewhere: it is left alone. */
export const linkFiles = async (
  tx: Tx,
  { app, message, ids, now }: { app: AppId; message: number; ids: readonly string[]; now: number },
): Promise<void> => {
  for (const id of inOrder(ids)) {
    if ((await tx.run(takeFile, { app, id, now })) > 0) await tx.run(linkFile, { message, id })
  }
}

/** The row is locked before it is looked whether another message has the file: one may just be taking it. */
const expireIfUnlinked = async (tx: Tx, ids: Iterable<string>, now: number): Promise<void> => {
  for (const id of inOrder(ids)) {
    await tx.first(lockFile, { id })
    await tx.run(expireUnlinked, { id, now })
  }
}

/** The message has these files now, and no others. */
export const relinkFiles = async (
  tx: Tx,
  { app, message, ids, now }: { app: AppId; message: number; ids: readonly string[]; now: number },
): Promise<void> => {
  const before = (await tx.all(linksOf, { message })).map((row) => row.file_id)
  const dropped = before.filter((id) => !ids.includes(id))
  for (const id of dropped) await tx.run(unlinkFile, { message, id })
  await linkFiles(tx, { app, message, ids, now })
  await expireIfUnlinked(tx, dropped, now)
}

/** The messages are gone for good, and with them what only they had. */
export const unlinkFiles = async (tx: Tx, messages: readonly number[], now: number): Promise<void> => {
  if (messages.length === 0) return
  const links = await tx.query(
    tx.build
      .deleteFrom('message_files')
      .where('message_id', 'in', [...messages])
      .returning('file_id')
      .compile(),
  )
  await expireIfUnlinked(
    tx,
    links.map((row) => row.file_id),
    now,
  )
}

export const files = {
  /** Files that no message has yet: uploaded, or announced by a token. They go at `expiresAt` unless one takes them. */
  add: write(
    async (tx, input: { actor: Actor; files: readonly NewFile[]; now: number; expiresAt: number }): Promise<void> => {
      const { actor, now, expiresAt } = input
      await requireActor(tx, actor)
      const uid = actorUid(actor)
      for (const { appId: app, ...file } of input.files) await tx.run(insertFile, { app, uid, ...file, now, expiresAt })
    },
  ),

  find: read(async (tx, { appId: app, id, now }: FileKey & { now: number }): Promise<StoredFile | undefined> => {
    const row = await tx.first(findFile, { app, id, now })
    return row && toFile(row)
  }),

  findAnnounced: read(
    async (
      tx,
      { appId: app, id, token, now }: FileKey & { token: string; now: number },
    ): Promise<StoredFile | undefined> => {
      const row = await tx.first(findAnnounced, { app, id, token, now })
      return row && toFile(row)
    },
  ),

  /** The announced file is there. False if the token is used up, or of no use any more. */
  complete: write(
    async (
      tx,
      { appId: app, id, token, now, expiresAt }: FileKey & { token: string; now: number; expiresAt: number },
    ): Promise<boolean> => (await tx.run(completeFile, { app, id, token, now, expiresAt })) > 0,
  ),

  /** Of these files, those that no message has: nobody gets them any more, and their bytes are to go. */
  release: write(async (tx, input: { files: readonly FileKey[]; now: number }): Promise<readonly FileKey[]> => {
    const released: FileKey[] = []
    for (const { appId, id } of input.files) {
      if ((await tx.run(expireUnused, { app: appId, id, now: input.now })) > 0) released.push({ appId, id })
    }
    return released
  }),

  /** Those whose bytes are to go, the longest due first. */
  expired: read(async (tx, input: { now: number; limit: number }): Promise<readonly FileKey[]> => {
    const rows = await tx.all(expired, input)
    return rows.map(({ app_id: appId, id }) => ({ appId, id }))
  }),

  /** Their bytes are gone. */
  forget: write(async (tx, input: { files: readonly FileKey[]; now: number }): Promise<void> => {
    for (const { appId: app, id } of input.files) await tx.run(forgetFile, { app, id, now: input.now })
  }),
}
