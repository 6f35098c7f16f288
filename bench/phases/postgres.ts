/** Accept and end to end once more, on PostgreSQL. */
import type { Phase } from '../lib/phase.ts'
import { acceptFindings, measureAccept } from './accept.ts'
import { callbackFindings, measureCallbacks } from './callbacks.ts'

export const postgres: Phase = {
  name: 'postgres',
  title: 'The same on PostgreSQL',
  run: async (bench) => {
    const { databaseUrl } = bench
    if (databaseUrl === undefined) {
      return { figures: [], requirements: [], notes: ['skipped: CONFAB_BENCH_DATABASE_URL is not set'] }
    }
    const accepted = acceptFindings(await measureAccept(bench, { databaseUrl }), 'PostgreSQL')
    const forwarded = callbackFindings(await measureCallbacks(bench, { databaseUrl }), 'PostgreSQL')
    return {
      figures: [...accepted.figures, ...forwarded.figures],
      // The quoted ratio is a promise of the embedded store alone: here other processes share the machine.
      requirements: [...accepted.requirements.slice(1), ...forwarded.requirements],
      notes: [],
    }
  },
}
