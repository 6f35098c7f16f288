import { existsSync } from 'node:fs'

// V8 takes a machine with much memory for an invitation: the space for young objects would grow to more than a hundred
// megabytes per thread, that for old ones to a multiple of what lives in it. Only flags at start bound them; whoever
// gives one of them has the last word.
const flags = ['--max-semi-space-size=16', '--heap-growing-percent=20']
const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ')
const isGiven = flags.some((flag) => given.includes(flag.split('=')[0] ?? flag))
// A channel to the parent (`node --watch`) would not survive; Windows has no execve.
if (!isGiven && process.channel === undefined && process.execve !== undefined) {
  const { execPath, execArgv, argv, env } = process
  process.execve(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], env)
}

// A checkout runs the sources as they are; a published package has JavaScript in their place.
const source = new URL('../src/main.ts', import.meta.url)
await import(existsSync(source) ? source.href : new URL('../src/main.js', import.meta.url).href)
