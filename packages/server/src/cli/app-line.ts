/** What somebody wrote after `confab app`: what is the command's own, and the settings. */
import { parseArgs } from 'node:util'
import { flagOptions } from '../config/parse.ts'

const ownOptions = {
  id: { type: 'string' },
  name: { type: 'string' },
  scope: { type: 'string' },
  yes: { type: 'boolean' },
  json: { type: 'boolean' },
  'keep-old': { type: 'boolean' },
} as const

export type Own = keyof typeof ownOptions
export const isOwn = (name: string): name is Own => Object.hasOwn(ownOptions, name)

export interface Line {
  readonly action: string
  readonly words: readonly string[]
  readonly own: Partial<Record<Own, string | boolean>>
  /** What is no part of the command: settings. */
  readonly rest: readonly string[]
}

export const readLine = (args: readonly string[]): Line => {
  const options = { ...flagOptions, ...ownOptions }
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  const taken = new Set<number>()
  const own: Partial<Record<Own, string | boolean>> = {}
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    else if (token.kind === 'option' && isOwn(token.name)) own[token.name] = token.value ?? true
    else continue
    taken.add(token.index)
    if (token.kind === 'option' && token.value !== undefined && !token.inlineValue) taken.add(token.index + 1)
  }
  const [action = '', ...others] = words
  return { action, words: others, own, rest: args.filter((_, index) => !taken.has(index)) }
}
