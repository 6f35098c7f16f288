/** Where a thread spent its time, from the profiles that Node writes: by function, without what it called. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const IDLE = new Set(['(idle)', '(program)', '(root)'])
const TOP = 30

const placeOf = ({ functionName, url, lineNumber }: ProfileNode['callFrame']): string => {
  const file = url.replace(/^.*\/(?=node_modules\/|packages\/)/, '').replace(/^file:\/\//, '')
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`
}

/** The package, or the module of Node, to which a function belongs. */
const ownerOf = ({ functionName, url }: ProfileNode['callFrame']): string => {
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  if (dependency !== undefined) return dependency
  const own = /packages\/[^/]+\/src\/([^/]+)/.exec(url)?.[1]
  if (own !== undefined) return `confab ${own}`
  return url === '' ? functionName : (url.split('/')[0] ?? url)
}

const add = (times: Map<string, number>, key: string, us: number): void => {
  times.set(key, (times.get(key) ?? 0) + us)
}

const printTimes = (title: string, times: ReadonlyMap<string, number>, busyUs: number, top: number): void => {
  console.log(`  ${title}`)
  const ordered = [...times].sort((a, b) => b[1] - a[1]).slice(0, top)
  for (const [key, us] of ordered) console.log(`  ${((us * 100) / busyUs).toFixed(1).padStart(6)} %  ${key}`)
}

const printProfile = (name: string, { nodes, samples, timeDeltas }: Profile): void => {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]))
  const [functions, owners] = [new Map<string, number>(), new Map<string, number>()]
  let [busyUs, allUs] = [0, 0]
  for (const [index, id] of samples.entries()) {
    const frame = byId.get(id)
    const us = timeDeltas[index] ?? 0
    allUs += us
    if (frame === undefined || IDLE.has(frame.functionName)) continue
    busyUs += us
    add(functions, placeOf(frame), us)
    add(owners, ownerOf(frame), us)
  }
  console.log(`profile ${name}: busy ${(busyUs / 1e6).toFixed(1)} s of ${(allUs / 1e6).toFixed(1)} s`)
  printTimes('by owner', owners, busyUs, TOP / 2)
  printTimes('by function, self time', functions, busyUs, TOP)
}

export const printProfiles = (directory: string): void => {
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.cpuprofile'))) {
    printProfile(name, JSON.parse(readFileSync(join(directory, name), 'utf8')) as Profile)
  }
}
