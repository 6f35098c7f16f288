import { badRequest } from './app-error.ts'

/** Metadata as it is stored, within the size that this server takes. */
export const makeMetadataText =
  (bytes: number) =>
  (metadata: unknown): string | null =>
    jsonText(metadata, { field: 'metadata', bytes })

/** A JSON value as it is stored, within its size; nothing stays nothing. */
export const jsonText = (value: unknown, limit?: { field: string; bytes: number }): string | null => {
  if (value === undefined || value === null) return null
  const text = JSON.stringify(value)
  if (limit !== undefined && Buffer.byteLength(text) > limit.bytes) {
    throw badRequest({ [limit.field]: `must not be larger than ${limit.bytes} bytes as JSON` })
  }
  return text
}
