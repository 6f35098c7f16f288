/** What the operating system says of processes: asked of itself, so that a leftover cannot hide. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // Ended between the listing and the look.
    return ''
  }
}

/** Every process and its parent. `/proc` where there is one: not every machine with it has `ps`. */
const table = (): readonly (readonly [pid: number, parent: number])[] => {
  if (!existsSync('/proc/self/stat')) {
    const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
    return lines.map((line) => line.trim().split(/ +/).map(Number)).map(([pid = 0, parent = 0]) => [pid, parent])
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  // `pid (name) state parent …`; the name may hold anything, brackets too.
  return pids.map((pid) => [Number(pid), Number(/\) \S (\d+) [^)]*$/.exec(read(`/proc/${pid}/stat`))?.[1] ?? 0)])
}

export const childrenOf = (pid: number): number[] =>
  table()
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child)

/** A zombie has ended: who has not yet asked for its exit code does not keep it alive. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/\) Z \d+ [^)]*$/.test(read(`/proc/${pid}/stat`))
  } catch {
    return false
  }
}
