import type { Scenario } from '../lib/scenario.ts'
import { answers } from './answers.ts'
import { botChanges } from './bots.ts'
import { databases } from './database.ts'
import { disks } from './disk.ts'
import { killPoints } from './kill-points.ts'
import { nodes } from './nodes.ts'
import { processes } from './process.ts'
import { races } from './races.ts'
import { receivers } from './receivers.ts'

export const scenarios: readonly Scenario[] = [
  ...killPoints,
  ...processes,
  ...disks,
  ...databases,
  ...nodes,
  ...receivers,
  ...botChanges,
  ...answers,
  ...races,
]
