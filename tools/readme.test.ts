/** What the documents point to is there: files, headings, scripts, settings. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { settingRows } from '../packages/server/src/config/schema.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What is tracked, or would be: what git ignores is on this machine only. */
const files: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\n')
  .filter((file) => file !== '')

const isDocument = (file: string): boolean =>
  /^(README|ARCHITECTURE|CONTRIBUTING)\.md$/.test(file) || /^docs\/.*\.md$/.test(file)
const documents = files.filter(isDocument)
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** Code holds examples, not links. */
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, 'code')

/** As GitHub makes them: without punctuation, `-` for each space, a number behind repetitions. */
const anchorsOf = (text: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  const titles = [...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} (.*)$/gm)].map(([, title = '']) => title)
  return new Set(
    titles.map((title) => {
      const slug = title
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- _]/gu, '')
        .replaceAll(' ', '-')
      const before = seen.get(slug) ?? 0
      seen.set(slug, before + 1)
      return before === 0 ? slug : `${slug}-${before}`
    }),
  )
}

interface Link {
  readonly from: string
  readonly target: string
}

const linksOf = (from: string, text: string): Link[] =>
  [...withoutCode(text).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)]
    .map(([, target = '']) => ({ from, target }))
    .filter(({ target }) => !/^[a-z][a-z0-9+.-]*:/i.test(target))

const isBroken = ({ from, target }: Link, textOf: (file: string) => string | undefined): boolean => {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? from : normalize(join(dirname(from), path))
  const text = textOf(file)
  return text === undefined || (anchor !== undefined && !anchorsOf(text).has(anchor))
}

const textOf = (file: string): string | undefined => {
  if (files.includes(file)) return file.endsWith('.md') ? read(file) : ''
  return files.some((other) => other.startsWith(`${file.replace(/\/$/, '')}/`)) ? '' : undefined
}

test('every relative link leads to a file and a heading that are there', () => {
  const links = documents.flatMap((file) => linksOf(file, read(file)))
  expect(links.length).toBeGreaterThan(100)
  expect(links.filter((link) => isBroken(link, textOf))).toEqual([])
})

test('a link that leads nowhere is found', () => {
  const texts: Readonly<Record<string, string>> = {
    'a.md':
      '# A `b` & c\n[1](docs/d.md#two-words) [2](#a-b--c) [3](https://x.example/#none) `[4](nowhere)`\n```\n[5](no)\n```',
    'docs/d.md':
      '# Two words\n## Two words\n[6](#two-words-1) [7](../a.md) [8](../b.md) [9](#three) [10](e.md "title")',
  }
  const links = Object.entries(texts).flatMap(([file, text]) => linksOf(file, text))
  expect(links).toHaveLength(7)
  const broken = links.filter((link) => isBroken(link, (file) => texts[file]))
  expect(broken.map(({ target }) => target)).toEqual(['../b.md', '#three', 'e.md'])
})

const namedIn = (pattern: RegExp): { file: string; name: string }[] =>
  documents.flatMap((file) => [...read(file).matchAll(pattern)].map(([, name = '']) => ({ file, name })))

test('every script that is named exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = [...namedIn(/\bnpm run ([\w:-]+)/g), ...namedIn(/\bnpm (test|start)\b/g)]
  expect(new Set(named.map(({ name }) => name)).size).toBeGreaterThan(5)
  expect(named.filter(({ name }) => !Object.hasOwn(scripts, name))).toEqual([])
})

test('every setting that is named exists; those of tests and benchmarks are read there', () => {
  const settings = new Set<string>(settingRows.map(([, { env }]) => env))
  const elsewhere = files
    .filter((file) => /^(bench|tools|packages\/[\w-]+\/(src|test|examples))\/.*\.(ts|js)$/.test(file))
    .filter((file) => !file.startsWith('tools/readme.test'))
    .map(read)
    .join('\n')
  const isKnown = (name: string): boolean =>
    /^CONFAB_(TEST_|BENCH_|PUBLISHED_API$)/.test(name)
      ? new RegExp(`\\b${name}\\b`).test(elsewhere)
      : settings.has(name)
  const named = namedIn(/\b(CONFAB_[A-Z][A-Z0-9_]*)/g)
  expect(named.map(({ name }) => name)).toEqual(expect.arrayContaining([...settings]))
  expect(named.filter(({ name }) => !isKnown(name))).toEqual([])
  expect(isKnown('CONFAB_NOTHING') || isKnown('CONFAB_TEST_NOTHING')).toBe(false)
})
