/**
 * Finds the master key, and makes sure before anything is done that it is the one of the store.
 *
 * The store names every key that may have sealed something in it, each with a value to try it on. A key is named there
 * before it seals, and taken off only when nothing is left that it has sealed. With the embedded store a key that
 * is not given is made once and kept in a file beside the database.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Clock, toSeconds } from '../kernel/clock.ts'
import {
  type MasterKey,
  makeVault,
  newMasterKey,
  type Place,
  parseMasterKey,
  SealedValueError,
  type Vault,
} from '../kernel/vault.ts'
import type { Store } from '../storage/store.ts'

const KEY_FILE = 'master.key'
const CHECK_TEXT = 'confab'
const checkPlace = (id: string): Place => ['master_keys', id, 'check_value']

/** The master key is missing, wrong or unreadable. Nothing was changed. */
export class MasterKeyError extends Error {
  constructor(why: string) {
    super(why)
    this.name = 'MasterKeyError'
  }
}

interface KeySources {
  readonly store: Pick<Store, 'engine' | 'masterKeys'>
  readonly dataDir: string
  readonly masterKey: MasterKey | undefined
  readonly masterKeyPrevious: MasterKey | undefined
}

export interface OpenVaultOptions extends KeySources {
  readonly clock: Clock
}

const readKeyFile = (file: string): MasterKey | undefined => {
  if (!existsSync(file)) return undefined
  const key = parseMasterKey(readFileSync(file, 'utf8').trim())
  if (key === undefined) throw new MasterKeyError(`${file} holds no master key: 32 bytes in base64 or hexadecimal.`)
  return key
}

const syncFolder = (folder: string): void => {
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

/** On disk, whole, before anything is sealed with it. */
const makeKeyFile = (folder: string): MasterKey => {
  const file = join(folder, KEY_FILE)
  const handle = openSync(`${file}.new`, 'w', 0o600)
  writeSync(handle, `${newMasterKey()}\n`)
  fsyncSync(handle)
  closeSync(handle)
  renameSync(`${file}.new`, file)
  if (process.platform !== 'win32') syncFolder(folder)
  const key = readKeyFile(file)
  if (key === undefined) throw new MasterKeyError(`${file} cannot be read.`)
  return key
}

const assertKnown = async (store: KeySources['store'], keys: readonly MasterKey[]): Promise<void> => {
  const vault = makeVault(undefined, keys)
  for (const { id, check } of await store.masterKeys.list({})) {
    if (!keys.some((key) => key.id === id)) {
      const given = keys.length === 0 ? 'none is given' : `given: ${keys.map((key) => key.id).join(', ')}`
      throw new MasterKeyError(
        `The store holds secrets that are encrypted with the master key of id ${id}; ${given}. ` +
          `Set CONFAB_MASTER_KEY${store.engine === 'sqlite' ? `, or put the file ${KEY_FILE} back into the data folder` : ''}; ` +
          'after a change of keys, set the old one as CONFAB_MASTER_KEY_PREVIOUS.',
      )
    }
    try {
      vault.open(check, checkPlace(id))
    } catch (error) {
      if (!(error instanceof SealedValueError)) throw error
      throw new MasterKeyError(`The master key of id ${id} is not the one of the store: it opens nothing in it.`)
    }
  }
}

/** Two nodes that start at once with different keys: neither goes on, and the store is as it was. */
const register = async ({ store, clock }: OpenVaultOptions, key: MasterKey, keys: readonly MasterKey[]) => {
  const known = await store.masterKeys.list({})
  if (known.some(({ id }) => id === key.id)) return
  const check = makeVault(key).seal(CHECK_TEXT, checkPlace(key.id))
  await store.masterKeys.add({ id: key.id, check, now: toSeconds(clock.now()) })
  try {
    await assertKnown(store, keys)
  } catch (error) {
    await store.masterKeys.remove({ id: key.id })
    throw error
  }
}

const keysAtHand = ({ store, dataDir, masterKey, masterKeyPrevious }: KeySources) => {
  const folder = resolve(dataDir)
  const fromFile = store.engine === 'sqlite' ? readKeyFile(join(folder, KEY_FILE)) : undefined
  const keys = [masterKey, masterKeyPrevious, fromFile].filter((key) => key !== undefined)
  return { current: masterKey ?? fromFile, keys, folder }
}

/** Whether the keys that are at hand are those of the store; makes and changes nothing. */
export const checkMasterKey = async (options: KeySources): Promise<void> => {
  await assertKnown(options.store, keysAtHand(options).keys)
}

/** @throws {MasterKeyError} */
export const openVault = async (options: OpenVaultOptions): Promise<Vault> => {
  const { store } = options
  const { current, keys, folder } = keysAtHand(options)
  await assertKnown(store, keys)
  const key = current ?? (store.engine === 'sqlite' ? makeKeyFile(folder) : undefined)
  if (key === undefined) return makeVault(undefined)
  await register(options, key, [...keys, key])
  return makeVault(key, keys)
}
