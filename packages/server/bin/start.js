import { existsSync } from 'node:fs'
import { enableCompileCache, flushCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// A checkout runs the sources as they are; a published package has JavaScript in their place.
const source = new URL('../src/main.ts', import.meta.url)
const isCheckout = existsSync(source)

// What Node.js has compiled (and in a checkout: stripped of its types) is kept for the next start, which takes half
// the time. Not in the system's temporary folder, where others could lay something in its place; where the folder
// cannot be written, nothing is kept.
const modules = new URL(isCheckout ? '../../../node_modules/' : '../../../', import.meta.url)
const cache = process.env.NODE_COMPILE_CACHE ?? fileURLToPath(new URL('.cache/confab/', modules))

// V8 takes a machine with much memory for an invitation: the space for young objects would grow to more than a hundred
// megabytes per thread, that for old ones to a multiple of what lives in it. And from a busy start it may conclude that
// what is made in some place lives long, and make it old from then on. Only flags at start prevent that; whoever gives one
// of them has the last word.
const flags = ['--max-semi-space-size=24', '--heap-growing-percent=100', '--no-allocation-site-pretenuring']
const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ')
const isGiven = flags.some((flag) => given.includes(flag.split('=')[0] ?? flag))
// A channel to the parent (`node --watch`) would not survive; Windows has no execve.
if (!isGiven && process.channel === undefined && process.execve !== undefined) {
  const { execPath, execArgv, argv, env } = process
  // The C library keeps free memory for each of two dozen threads; glibc alone knows the setting.
  const MALLOC_ARENA_MAX = env.MALLOC_ARENA_MAX ?? '2'
  const argvOnceMore = [execPath, ...flags, ...execArgv, ...argv.slice(1)]
  // In the environment, what is kept holds for threads, too.
  process.execve(execPath, argvOnceMore, { ...env, MALLOC_ARENA_MAX, NODE_COMPILE_CACHE: cache })
}
enableCompileCache(cache)
// At its end it is written anyway; but a server may never come to an end of its own.
setTimeout(flushCompileCache, 3_000).unref()

await import(isCheckout ? source.href : new URL('../src/main.js', import.meta.url).href)
