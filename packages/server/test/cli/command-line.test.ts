import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { runConfab } from './support.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
const commands = ['dev', 'serve', 'migrate', 'doctor', 'app', 'help', 'version']

describe('help', () => {
  test.each([[[]], [['serve', '--port', '4000', '-h']], ...['dev', 'doctor'].map((command) => [[command, '--help']])])(
    'confab %j',
    async (args) => {
      const { code, stdout, stderr } = await runConfab(args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} {2,}\\S`, 'm'))
      expect(stdout).toContain('--data-dir <path>')
      expect(stdout).toContain('CONFAB_DATA_DIR, default ./data')
    },
  )

  test('names every setting that the reference names, and no other', async () => {
    const reference = readFileSync(new URL('../../../../docs/reference/config.md', import.meta.url), 'utf8')
    const { stdout } = await runConfab(['help'])
    const documented = [...reference.matchAll(/^\| `(CONFAB_\w+)` \| `(--[a-z-]+)`/gm)].map(([, env, flag]) => [
      env,
      flag,
    ])
    const shown = [...stdout.matchAll(/^ {2}(--[a-z-]+) <\w+>\s+(CONFAB_\w+)/gm)].map(([, flag, env]) => [env, flag])
    expect(shown.length).toBeGreaterThan(15)
    expect(shown).toEqual(documented)
  })
})

test.each([['version'], ['--version']])('confab %s', async (arg) => {
  expect(await runConfab([arg])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

describe('what is not understood ends with exit code 2, and nothing has begun', () => {
  test.each([
    ['Serve', ' Did you mean serve?'],
    ['constructor', ''],
  ])('a command: %j', async (word, hint) => {
    const { code, stdout, stderr } = await runConfab([word])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.split('\n')[0]).toBe(`confab: there is no command ${word}.${hint}`)
    // What there is instead.
    for (const command of commands) expect(stderr).toMatch(new RegExp(`^  ${command} {2,}\\S`, 'm'))
  })

  test('words of every wrong kind', async () => {
    const args = ['--frobnicate', '--prot', '4000', '-p', '4000', '--port=65536', 'more', '--', 'again', '--lease']
    const { code, stdout, stderr } = await runConfab(['serve', '--retry-for=never', ...args])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([
      'The configuration is not right:',
      '  --frobnicate is no known setting',
      '  --prot is no known setting; did you mean --port?',
      '  --p is no known setting',
      '  --port must be a whole number from 0 to 65535',
      '  --retry-for must be a duration from 0ms to 720h, such as 500ms, 30s, 5m or 1h',
      '  argument 8 after the command belongs to no setting',
      '  argument 10 after the command belongs to no setting',
      '  argument 11 after the command belongs to no setting',
      'confab help shows every setting.',
    ])
  })
})

describe('a configuration with many faults', () => {
  const env = {
    CONFAB_PROT: '4001',
    CONFAB_PORT: '70000',
    CONFAB_DATABASE_URL: 'mysql://confab:hunter2@db.example/confab',
    CONFAB_BUS_URL: 'http://token-of-mine@bus.example',
    CONFAB_APP_ID: 'not an id',
    CONFAB_REST_API_KEY: 'short-secret',
    CONFAB_RETRY_SCHEDULE: 'now and then',
    CONFAB_LOG_LEVEL: 'chatty',
  }
  const args = ['--roles', 'postman', '--auth-kee', 'sesame-sesame-sesame', '--callback-allow-cidrs=10/8']

  test('names all of them at once, each once, and no secret', async () => {
    const { code, stdout, stderr } = await runConfab(['serve', ...args], env)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    const problems = stderr.split('\n').filter((line) => line.startsWith('  '))
    const named = problems.map((line) => line.trim().split(' ')[0])
    const flags = ['--roles', '--auth-kee', '--callback-allow-cidrs']
    expect(named.toSorted()).toEqual([...Object.keys(env), ...flags].toSorted())
    expect(stderr).toContain('CONFAB_PROT is no known setting; did you mean CONFAB_PORT?')
    expect(stderr).toContain('--auth-kee is no known setting; did you mean --auth-key?')
    expect(stderr).not.toMatch(/hunter2|token-of-mine|short-secret|sesame/)
  })

  test.each([['dev'], ['migrate'], ['doctor']])('is refused by confab %s', async (command) => {
    const { code, stdout, stderr } = await runConfab([command], { CONFAB_PORT: 'x', CONFAB_LEASE: 'y' })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/CONFAB_PORT must be[\s\S]*CONFAB_LEASE must be/)
  })

  test('a word that may be a secret is named by its place', async () => {
    const { code, stderr } = await runConfab([
      'serve',
      '--port',
      '0',
      'sesame-sesame',
      '--rest-api-key=',
      'open-sesame',
    ])
    expect(code).toBe(2)
    expect(stderr).toMatch(/argument 3 after[\s\S]*argument 5 after/)
    expect(stderr).not.toContain('sesame')
  })
})
