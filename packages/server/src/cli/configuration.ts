import { parseArgs } from 'node:util'
import { flagOptions, parseConfig } from '../config/parse.ts'
import type { Config } from '../config/schema.ts'

export type Flags = Readonly<Record<string, string | boolean | undefined>>

/** Names every bad key on standard error; undefined if there is one. */
export const readConfig = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  defaults: Partial<Config> = {},
): Config | undefined => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...flagOptions },
    strict: false,
    allowPositionals: true,
  })
  const parsed = parseConfig({ env, flags: values as Flags, defaults })
  const problems = parsed.ok ? [] : parsed.problems.map(({ key, problem }) => `${key} ${problem}`)
  for (const positional of positionals) problems.push(`${positional}: unexpected argument`)
  if (parsed.ok && problems.length === 0) return parsed.config
  console.error(`The configuration is not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  console.error('confab help shows every setting.')
  return undefined
}
