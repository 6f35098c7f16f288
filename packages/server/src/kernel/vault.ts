/**
 * Values that are encrypted where they are stored: AES-256-GCM under a master key that is not in the store. Text form
 * `v1:<key id>:<nonce>:<ciphertext and tag>`, base64url. A value is bound to its place: put anywhere else, it does
 * not open.
 *
 * Text in any other form is a value that was stored in clear, and is taken as it is. None of ours can be taken for the
 * other: the shortest sealed text is longer than a password may be, and signing secrets begin otherwise.
 */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

/** Never printed by accident: a `KeyObject` shows nothing of itself. */
export interface MasterKey {
  /** Derived from the key; tells nothing of it. */
  readonly id: string
  readonly key: KeyObject
}

/** Where a value stands: app, uid, field. */
export type Place = readonly [scope: string, name: string, field: string]

export interface Vault {
  /** The key that seals; without one, values are stored in clear. */
  readonly keyId: string | undefined
  seal(plain: string, place: Place): string
  /** @throws {SealedValueError} */
  open(stored: string, place: Place): string
  /** Whether the text is as `seal` would make it now. */
  isCurrent(stored: string): boolean
}

/** The value was sealed with a key that is not at hand, or for another place, or was changed. */
export class SealedValueError extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'SealedValueError'
  }
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const MAX_REMEMBERED = 2000

const SEALED = /^v1:([0-9a-f]{8}):([\w-]{16}):([\w-]{22,})$/

export const sealedKeyId = (stored: string): string | undefined => SEALED.exec(stored)?.[1]

const bytesOf = (text: string): Buffer | undefined => {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

/** 32 bytes, in hexadecimal or base64. */
export const parseMasterKey = (text: string): MasterKey | undefined => {
  const bytes = bytesOf(text)
  if (bytes?.length !== KEY_BYTES) return undefined
  const id = createHash('sha256').update('confab master key id\0').update(bytes).digest('hex').slice(0, 8)
  return { id, key: createSecretKey(bytes) }
}

/** The text of a new key, as `parseMasterKey` takes it. */
export const newMasterKey = (): string => randomBytes(KEY_BYTES).toString('base64')

/** JSON tells where one part ends and the next begins. */
const associated = (place: Place): Buffer => Buffer.from(JSON.stringify(place))

const encrypt = ({ id, key }: MasterKey, plain: string, place: Place): string => {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated(place))
  const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1:${id}:${nonce.toString('base64url')}:${sealed.toString('base64url')}`
}

const decrypt = (keys: ReadonlyMap<string, MasterKey>, stored: string, place: Place): string => {
  const [, id = '', nonce = '', text = ''] = SEALED.exec(stored) ?? []
  const key = keys.get(id)
  if (key === undefined) throw new SealedValueError(`sealed with the master key ${id}, which is not at hand`)
  const sealed = Buffer.from(text, 'base64url')
  const options = { authTagLength: TAG_BYTES }
  const decipher = createDecipheriv('aes-256-gcm', key.key, Buffer.from(nonce, 'base64url'), options)
  decipher.setAAD(associated(place)).setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]).toString('utf8')
  } catch {
    throw new SealedValueError(`sealed with the master key ${id}, but changed or not for this place`)
  }
}

/** @param others accepted for reading, so that keys can be changed */
export const makeVault = (current: MasterKey | undefined, others: readonly MasterKey[] = []): Vault => {
  const keys = new Map([...others, ...(current === undefined ? [] : [current])].map((key) => [key.id, key]))
  // What is remembered under a place opens only there: the place is a part of the name.
  const opened = new Map<string, string>()
  return {
    keyId: current?.id,
    seal: (plain, place) => (current === undefined ? plain : encrypt(current, plain, place)),
    open: (stored, place) => {
      const name = `${stored} ${place.join(' ')}`
      const found = opened.get(name)
      if (found !== undefined) return found
      if (!SEALED.test(stored)) return stored
      const plain = decrypt(keys, stored, place)
      if (opened.size >= MAX_REMEMBERED) opened.clear()
      opened.set(name, plain)
      return plain
    },
    isCurrent: (stored) => sealedKeyId(stored) === current?.id,
  }
}

/** For a store that holds everything in clear. */
export const clearVault: Vault = makeVault(undefined)
