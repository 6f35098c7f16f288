/**
 * A folder, and those above it that are not there. Not by the `recursive` of Node, which asks for the parent whenever the
 * system says that something is missing, and again for the folder, and so on for ever where the parent is there and takes
 * no folders all the same: below `/proc`.
 */
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** Answers whether it was not there before. Systems differ in what is wrong with making one that is there. */
const makeOne = async (path: string, mode: number | undefined): Promise<boolean> => {
  try {
    await mkdir(path, { mode })
    return true
  } catch (error) {
    if (await isFolder(path)) return false
    throw error
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

/**
 * Rejects with what the system says.
 *
 * @param mode of each that is made
 * @returns the uppermost that was made, if any was
 */
export const makeFolder = async (path: string, mode?: number): Promise<string | undefined> => {
  try {
    return (await makeOne(path, mode)) ? path : undefined
  } catch (error) {
    if (!isMissing(error) || dirname(path) === path) throw error
  }
  const first = await makeFolder(dirname(path), mode)
  const isNew = await makeOne(path, mode)
  return first ?? (isNew ? path : undefined)
}
