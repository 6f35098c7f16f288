import { badRequest } from './app-error.ts'

/** A JSON value as it is stored, within its size; nothing stays nothing. */
export const jsonText = (value: unknown, limit?: { field: string; bytes: number }): string | null => {
  if (value === undefined || value === null) return null
  const text = JSON.stringify(value)
  if (limit !== undefined && Buffer.byteLength(text) > limit.bytes) {
    throw badRequest({ [limit.field]: `must not be larger than ${limit.bytes} bytes as JSON` })
  }
  return text
}
