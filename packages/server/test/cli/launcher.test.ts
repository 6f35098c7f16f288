/** What somebody with an old Node.js sees. It must be a sentence, not a stack. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Script } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { PROGRAM, runConfab, temporaryFolder } from './support.ts'

const needed = 24
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

const versionOf = (node: string): string | undefined => {
  try {
    return execFileSync(node, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/** Those that this machine has; the pretended one below is there on every machine. */
const oldNodes = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'])]
  .map((folder) => join(folder, 'node'))
  .map((node) => ({ node, version: versionOf(node) }))
  .filter(({ version }) => version !== undefined && Number(version.slice(1).split('.')[0]) < needed)

/** This Node, believing to be another: what the launcher decides by is replaced before it is read. */
const pretending = (version: string): string[] => {
  const file = join(temporaryFolder(), 'pretend.mjs')
  writeFileSync(
    file,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })
     Object.defineProperty(process, 'version', { value: 'v${version}' })`,
  )
  return [process.execPath, '--import', file]
}

const saysWhatIsMissing = async (node: readonly string[], version: string): Promise<void> => {
  for (const args of [[], ['serve'], ['dev'], ['--version']]) {
    const { code, stdout, stderr } = await runConfab(args, {}, node)
    expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' })
    expect(stderr.split('\n')[0]).toBe(`Confab needs Node.js ${needed} or newer; this is ${version}.`)
    expect(stderr).toContain('npm start')
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+/)
  }
}

describe('the launcher', () => {
  test.each(['8.17.0', '20.19.5', '23.11.0'])('says what is missing to Node.js %s', async (version) => {
    await saysWhatIsMissing(pretending(version), `v${version}`)
  })

  test('says it to every old Node.js of this machine', async () => {
    for (const { node, version } of oldNodes) await saysWhatIsMissing([node], version ?? '')
  })

  test.each(['24.0.0', '100.0.0'])('starts on Node.js %s', async (version) => {
    const { code, stdout } = await runConfab(['--version'], {}, pretending(version))
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${manifest.version}\n` })
  })

  test('keeps what was compiled, for the next start', async () => {
    const folder = join(temporaryFolder(), 'compiled')
    const { code } = await runConfab(['--version'], { NODE_COMPILE_CACHE: folder })
    expect(code).toBe(0)
    const kept = (): number => readdirSync(folder, { recursive: true }).length
    expect(kept()).toBeGreaterThan(100)
    const before = kept()
    await runConfab(['--version'], { NODE_COMPILE_CACHE: folder })
    expect(kept()).toBe(before)
  })

  test('starts where nothing can be kept', async () => {
    const folder = join(temporaryFolder(), 'a-file')
    writeFileSync(folder, '')
    expect(await runConfab(['--version'], { NODE_COMPILE_CACHE: folder })).toEqual({
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    })
  })

  // That many are made when the first one is needed: what looks up names must not be filled by a few that hang.
  test.skipIf(process.platform !== 'linux').each([
    [undefined, 24],
    ['9', 9],
  ])('has threads enough: UV_THREADPOOL_SIZE=%s', async (given, threads) => {
    const file = join(temporaryFolder(), 'threads.mjs')
    writeFileSync(
      file,
      `import { readFile } from 'node:fs/promises'
       import { readdirSync } from 'node:fs'
       process.on('exit', () => console.error(readdirSync('/proc/self/task').length))
       if (process.execArgv.some((flag) => flag.startsWith('--max-semi-space-size'))) await readFile('/proc/self/status')`,
    )
    const count = async (size: string | undefined): Promise<number> => {
      const env = size === undefined ? {} : { UV_THREADPOOL_SIZE: size }
      const { stderr } = await runConfab(['--version'], env, [process.execPath, '--import', file])
      return Number(stderr.trim().split('\n').at(-1))
    }
    const one = await count('1')
    expect((await count(given)) - one).toBe(threads - 1)
  })

  test('asks for what the package asks for', () => {
    expect(manifest.engines.node).toBe(`>=${needed}`)
  })

  // Before 14.8 a file with `await` at its top, before 12 one with `import.meta` is a syntax error.
  test('can be read by a Node.js without modules', () => {
    expect(() => new Script(readFileSync(PROGRAM, 'utf8'))).not.toThrow()
    expect(() => new Script('await 1')).toThrow(SyntaxError)
    expect(() => new Script('import.meta')).toThrow(SyntaxError)
  })
})
