/** Group passwords are kept as scrypt hashes: `scrypt$<salt>$<hash>`, both base64. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AppError } from '../kernel/app-error.ts'

const KEY_BYTES = 32
const derive = promisify<string, Buffer, number, Buffer>(scrypt)

export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, KEY_BYTES)
  return `scrypt$${salt.toString('base64')}$${hash.toString('base64')}`
}

/** Throws unless the password is the one of the hash. */
export const checkPassword = async (password: string | undefined, hash: string): Promise<void> => {
  if (!password) throw new AppError('ERR_EMPTY_GROUP_PASS', { details: { password: 'is required' } })
  const [, salt = '', expected = ''] = hash.split('$')
  const derived = await derive(password, Buffer.from(salt, 'base64'), KEY_BYTES)
  const isRight = timingSafeEqual(derived, Buffer.from(expected, 'base64'))
  if (!isRight) throw new AppError('ERR_WRONG_GROUP_PASS')
}
