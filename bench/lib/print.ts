import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import type { Figure, Findings, Requirement } from './phase.ts'
import { median } from './statistics.ts'

const show = (value: number, unit: string): string => {
  const digits = unit === 'ms' ? 2 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const columns = ['figure', 'value', 'unit', 'bare limit', 'ratio', 'of rounds'] as const

const cellsOf = ({ what, value, unit, limit, ratio, spread }: Figure): string[] => [
  what,
  show(value, unit),
  unit,
  limit === undefined ? '' : show(limit, unit),
  ratio === undefined ? '' : ratio.toFixed(2),
  spread === undefined ? '' : spread.map((end) => end.toFixed(2)).join('–'),
]

const isNumber = (column: number): boolean => column === 1 || column > 2

const table = (figures: readonly Figure[]): string => {
  const cells = figures.map(cellsOf)
  const isUsed = (_: unknown, column: number): boolean => column < 5 || cells.some((row) => row[column] !== '')
  const rows = [[...columns], ...cells].map((row) => row.filter(isUsed))
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd()
  return rows.map((row) => `  ${line(row)}`).join('\n')
}

export const printFindings = ({ figures, notes }: Findings): void => {
  if (figures.length > 0) console.log(table(figures))
  for (const note of notes) console.log(`  ${note}`)
  console.log('')
}

export const printRequirements = (requirements: readonly Requirement[]): void => {
  for (const { text, value, met } of requirements) console.log(`${met ? 'ok    ' : 'MISSED'}  ${text}: ${value}`)
}

/** What a commit of the embedded store waits for. */
const syncMs = (directory: string): number => {
  const file = openSync(join(directory, 'sync'), 'w')
  const block = Buffer.alloc(4096)
  const times = Array.from({ length: 21 }, () => {
    const start = performance.now()
    writeSync(file, block)
    fdatasyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  return median(times)
}

/** Above this share, others disturb: what is missed may be their doing. */
const QUIET = 0.05

export const othersLine = (share: number): string =>
  `other processes used ${(share * 100).toFixed(0)} % of the processors` +
  (share > QUIET ? ': NOT AN IDLE MACHINE, compare only ratios and CPU times' : '')

export const machineLine = (directory: string): string => {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU'
  return (
    `machine: ${availableParallelism()} cores (${model}), Node ${process.version}, ${process.platform} ${process.arch}, ` +
    `sync to disk ${syncMs(directory).toFixed(2)} ms, ${new Date().toISOString().slice(0, 10)}`
  )
}
