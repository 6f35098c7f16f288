/** `npm run check`: everything that must hold of the sources besides the tests. Runs all of it, then names what failed. */
import { spawnSync } from 'node:child_process'

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

const node = (...args: string[]): string[] => [process.execPath, ...args]
const bin = (name: string, ...args: string[]): string[] => node(`node_modules/${name}`, ...args)

const checks: readonly Check[] = [
  { name: 'types', command: bin('typescript/bin/tsc', '-p', '.') },
  { name: 'types of the SDK', command: bin('typescript/bin/tsc', '-p', 'packages/bot-sdk') },
  { name: 'format and lint', command: bin('@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '.') },
  {
    name: 'import directions',
    command: bin('dependency-cruiser/bin/dependency-cruiser.mjs', 'packages', '--config', '.dependency-cruiser.cjs'),
  },
  { name: 'unused code', command: bin('knip/bin/knip.js', '--no-config-hints') },
  { name: 'generated files', command: node('tools/gen.ts', '--check') },
  { name: 'schema dumps', command: node('tools/schema.ts', '--check') },
  { name: 'lockfile', command: node('tools/check-lockfile.ts') },
]

const failed: string[] = []
for (const { name, command } of checks) {
  const started = performance.now()
  const [program = '', ...args] = command
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  if (status !== 0) {
    failed.push(name)
    console.log(`${stdout}${stderr}`)
  }
}
if (failed.length > 0) {
  console.error(`\n${failed.length} of ${checks.length} checks failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
