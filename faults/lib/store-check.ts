/** What the store says at the end, beside what people and bots have seen. */
import { readStore } from '../../packages/server/src/testing/read-store.ts'
import type { Run } from './run.ts'
import type { Scenario } from './scenario.ts'

interface LaneRow {
  readonly id: number
  readonly pending: number
  readonly next_sequence: number
  readonly due_at_ms: number | null
  readonly deliveries: number
}

const messageProblems = async ({ storage, chronicle, people, engine }: Run): Promise<string[]> => {
  const rows = await readStore<{ muid: string; id: number }>(storage, 'SELECT muid, id FROM messages')
  const problems: string[] = []
  const stored = new Map(rows.map(({ muid, id }) => [muid, String(id)]))
  if (stored.size !== rows.length) problems.push(`${rows.length - stored.size} muids are stored more than once`)
  for (const { muid, id } of chronicle.sent) {
    if (id !== undefined && stored.get(muid) !== id) problems.push(`${muid} was accepted as ${id}: ${stored.get(muid)}`)
  }
  // With PostgreSQL a failure may mean that nobody knows.
  const there = engine === 'sqlite' ? people.refused.filter((muid) => stored.has(muid)) : []
  return [...problems, ...there.map((muid) => `${muid} was refused, and is there`)]
}

const deliveryProblems = async ({ storage }: Run, { mayBe = [] }: Scenario): Promise<string[]> => {
  const allowed: readonly string[] = ['delivered', ...mayBe]
  const states = await readStore<{ state: string; n: number }>(
    storage,
    'SELECT state, count(*) AS n FROM deliveries GROUP BY state',
  )
  return states.filter(({ state }) => !allowed.includes(state)).map(({ state, n }) => `${n} deliveries are ${state}`)
}

const laneProblem = (lane: LaneRow, isSwept: boolean): string | undefined => {
  if (lane.pending !== 0) return `counts ${lane.pending} as pending`
  if (lane.due_at_ms !== null) return 'is due, and empty'
  if (!isSwept && lane.next_sequence !== lane.deliveries + 1)
    return `has ${lane.deliveries} of ${lane.next_sequence - 1}`
  return undefined
}

const laneProblems = async ({ storage }: Run, { mayBe = [] }: Scenario): Promise<string[]> => {
  const lanes = await readStore<LaneRow>(
    storage,
    `SELECT id, pending, next_sequence, due_at_ms,
       (SELECT count(*) FROM deliveries WHERE lane_id = lanes.id) AS deliveries FROM lanes`,
  )
  return lanes.flatMap((lane) => {
    const problem = laneProblem(lane, mayBe.includes('swept'))
    return problem === undefined ? [] : `lane ${lane.id} ${problem}`
  })
}

const integrityProblems = async ({ storage, engine }: Run): Promise<string[]> => {
  if (engine !== 'sqlite') return []
  const rows = await readStore<{ integrity_check: string }>(storage, 'PRAGMA integrity_check')
  return rows.map(({ integrity_check }) => integrity_check).filter((text) => text !== 'ok')
}

/** Once the server has stopped. */
export const storeProblems = async (run: Run, scenario: Scenario): Promise<string[]> =>
  (
    await Promise.all([
      messageProblems(run),
      deliveryProblems(run, scenario),
      laneProblems(run, scenario),
      integrityProblems(run),
    ])
  ).flat()
