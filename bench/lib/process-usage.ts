/** What a process uses, as Linux tells it. Elsewhere nothing is known, and the figures say so by being NaN. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

const TICKS_PER_SECOND = 100

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const mbOf = (status: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024

/** The first fields of `stat` hold a name, which may hold anything but ends with the last parenthesis. */
const cpuMsOf = (stat: string): number => {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) * 1000) / TICKS_PER_SECOND
}

export const peakMb = (pid: number): number => mbOf(read(`/proc/${pid}/status`), 'VmHWM')

export const residentMb = (pid: number): number => mbOf(read(`/proc/${pid}/status`), 'VmRSS')

export interface CpuMs {
  readonly main: number
  readonly all: number
}

export const cpuMs = (pid: number): CpuMs => ({
  main: cpuMsOf(read(`/proc/${pid}/task/${pid}/stat`)),
  all: cpuMsOf(read(`/proc/${pid}/stat`)),
})

/** The fields of the machine's line in `/proc/stat` in which the processor works for somebody. */
const isBusy = (field: number): boolean => field !== 3 && field !== 4 && field < 8

/** What all processors have worked since the machine was started, and what of it was for this process and those it has ended. */
const worked = (): { readonly all: number; readonly own: number } => {
  const [machine = ''] = read('/proc/stat').split('\n')
  const fields = machine.split(/\s+/).slice(1).map(Number)
  const own = read('/proc/self/stat')
  const ofOwn = own.slice(own.lastIndexOf(')') + 2).split(' ')
  return {
    all: fields.filter((_, field) => isBusy(field)).reduce((sum, ticks) => sum + ticks, 0),
    own: ofOwn.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0),
  }
}

/** Tells, when all processes of the run have ended, how much of the machine went to others meanwhile: from 0 to 1. */
export const watchOthers = (): (() => number) => {
  const before = worked()
  const start = performance.now()
  return () => {
    const after = worked()
    const theirs = after.all - before.all - (after.own - before.own)
    const ticks = ((performance.now() - start) / 1000) * TICKS_PER_SECOND * availableParallelism()
    return Math.max(0, theirs / ticks)
  }
}
