/** Group passwords are kept as scrypt hashes: `scrypt$<salt>$<hash>`, both base64. */
import { randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'

const KEY_BYTES = 32
const derive = promisify<string, Buffer, number, Buffer>(scrypt)

export const hashPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, KEY_BYTES)
  return `scrypt$${salt.toString('base64')}$${hash.toString('base64')}`
}
