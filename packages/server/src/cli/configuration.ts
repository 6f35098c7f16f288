import { parseArgs } from 'node:util'
import { flagOptions, parseConfig } from '../config/parse.ts'
import type { Config } from '../config/schema.ts'

export type Flags = Readonly<Record<string, string | boolean | undefined>>

type Token = { kind: string; index: number; name?: string; value?: string | undefined }

/**
 * What belongs to no setting, by its place: the word itself may be a secret. The word behind an unknown flag is taken for
 * its value; the flag is named already.
 */
const strayArguments = (tokens: readonly Token[]): string[] =>
  tokens
    .filter(({ kind, index }, place) => {
      const before = tokens[place - 1]
      const isValueOfUnknown =
        before?.kind === 'option' && before.value === undefined && !Object.hasOwn(flagOptions, before.name ?? '')
      return kind === 'positional' && !(isValueOfUnknown && before.index === index - 1)
    })
    .map(({ index }) => `argument ${index + 1} after the command belongs to no setting`)

/** Names every bad key on standard error; undefined if there is one. */
export const readConfig = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  defaults: Partial<Config> = {},
): Config | undefined => {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: { ...flagOptions },
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const parsed = parseConfig({ env, flags: values as Flags, defaults })
  const problems = parsed.ok ? [] : parsed.problems.map(({ key, problem }) => `${key} ${problem}`)
  problems.push(...strayArguments(tokens))
  if (parsed.ok && problems.length === 0) return parsed.config
  console.error(`The configuration is not right:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  console.error('confab help shows every setting.')
  return undefined
}
