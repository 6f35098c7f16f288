/**
 * The lockfile must install everywhere, not only on the machine that wrote it: every optional platform
 * package (macOS, Windows, Arm, musl) has an entry, every entry has a checksum, and no registry's host is named.
 */
import { readFileSync } from 'node:fs'

interface Entry {
  version?: string
  link?: boolean
  resolved?: string
  integrity?: string
  optionalDependencies?: Record<string, string>
}

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, Entry>
}
const problems: string[] = []

/** npm looks for a dependency beside its parent, then outwards, as `require` does. */
const isLocked = (parent: string, name: string): boolean => {
  for (let at = parent; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true
    if (at === '') return false
    if (!at.includes('/node_modules/')) at = ''
    if (at === '' && lock.packages[`node_modules/${name}`] !== undefined) return true
    if (at === '') return false
  }
}

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (!isLocked(path, name)) problems.push(`${path}: optional package ${name} has no entry`)
  }
  if (/^https?:/.test(entry.resolved ?? '')) problems.push(`${path}: names a registry host`)
  const isOurs = path === '' || entry.link === true || !path.includes('node_modules')
  if (!isOurs && entry.integrity === undefined) problems.push(`${path}: has no integrity checksum`)
}

if (problems.length > 0) {
  console.error(`package-lock.json is not whole:\n  ${problems.join('\n  ')}`)
  process.exitCode = 1
} else {
  console.log(`lockfile: ${Object.keys(lock.packages).length} entries, whole`)
}
