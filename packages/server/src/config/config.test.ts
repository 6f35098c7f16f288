import { readFileSync } from 'node:fs'
import { inspect, parseArgs } from 'node:util'
import {
  CreateUser,
  defaultLimits,
  ListUsers,
  limitNames,
  limitRows,
  ResetConversation,
  withLimits,
} from '@confab/protocol'
import { Compile } from 'typebox/compile'
import { describe, expect, test } from 'vitest'
import { parseMasterKey } from '../kernel/vault.ts'
import { limitsOf } from './limits.ts'
import { type ConfigInput, flagOptions, type Problem, parseConfig } from './parse.ts'
import { printRedacted, renderEnvExample, renderHelp, renderMarkdown } from './render.ts'
import { type Config, developmentDefaults, flagOf, settingRows } from './schema.ts'

const parsed = (env: ConfigInput['env'], rest: Omit<ConfigInput, 'env'> = {}): Config => {
  const result = parseConfig({ env, ...rest })
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  return result.config
}

const problems = (env: ConfigInput['env'], rest: Omit<ConfigInput, 'env'> = {}): readonly Problem[] => {
  const result = parseConfig({ env, ...rest })
  return result.ok ? [] : result.problems
}

const keys = (found: readonly Problem[]): string[] => found.map(({ key }) => key)

/** Settings of limits, and what is just too little and too much for them, and just not. */
const limitSettings = settingRows.flatMap(([name, { env, default: initial }]) => {
  const limit = limitNames.find((known) => `limit${known.charAt(0).toUpperCase()}${known.slice(1)}` === name)
  if (limit === undefined) return []
  const { min, max, unit } = limitRows[limit]
  const text = (value: number): string => `${value}${{ bytes: 'B', seconds: 's', number: '', characters: '' }[unit]}`
  const taken = [min, max].map((value): [string, number] => [text(value), unit === 'seconds' ? value * 1000 : value])
  return [{ name, env, initial, limit, taken, refused: [text(min - 1), text(max + 1)] }]
})
const limitDefaults = Object.fromEntries(limitSettings.map(({ name, initial }) => [name, initial]))

test('nothing at all is a configuration', () => {
  expect(parsed({ PATH: '/bin', HOME: '/root' })).toEqual({
    host: '0.0.0.0',
    port: 4000,
    publicUrl: undefined,
    trustedProxies: [],
    corsOrigins: [],
    tlsCert: undefined,
    tlsKey: undefined,
    gatewayPath: '/',
    extensionDomain: undefined,
    dataDir: './data',
    databaseUrl: undefined,
    busUrl: undefined,
    region: 'local',
    appId: undefined,
    restApiKey: undefined,
    authKey: undefined,
    masterKey: undefined,
    masterKeyPrevious: undefined,
    showBotPassword: false,
    callbackAllowCidrs: [],
    botCidrs: [],
    callbackTimeoutMs: 10_000,
    retryDelaysMs: [5000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000],
    retryForMs: 72 * 3_600_000,
    callbackConcurrency: 512,
    botConcurrency: 40,
    poisonPolicy: 'skip',
    breakerFailurePercent: 70,
    breakerMinAttempts: 10,
    breakerOpenMs: 30_000,
    beforeMessageOnFailure: 'accept',
    botHopLimit: 8,
    deliveryRetentionMs: 7 * 86_400_000,
    auditRetentionMs: 90 * 86_400_000,
    rateLimitApp: 0,
    rateLimitAppCore: 0,
    rateLimitToken: 600,
    leaseMs: 30_000,
    maxFileBytes: 100 * 1024 ** 2,
    maxUploadBytes: 100 * 1024 ** 2,
    s3Endpoint: undefined,
    s3Bucket: undefined,
    s3Region: 'us-east-1',
    s3AccessKey: undefined,
    s3SecretKey: undefined,
    s3Prefix: undefined,
    s3PathStyle: true,
    s3Redirect: false,
    gatewayMaxFrame: 65_536,
    gatewayMaxBuffered: 1_048_576,
    gatewayFramesPerSecond: 20,
    gatewayPresenceUsers: 1000,
    roles: ['api', 'delivery', 'gateway'],
    logLevel: 'info',
    shutdownGraceMs: 30_000,
    ...limitDefaults,
  })
})

const rest = 'rest-rest-rest-rest'
const auth = 'auth-auth-auth-auth'

const keyBytes = Buffer.alloc(32, 'hunter6')
const otherBytes = Buffer.alloc(32, 'hunter7')
const { id: keyId } = parseMasterKey(keyBytes.toString('hex')) ?? {}

/** They go together. */
const s3: Readonly<Record<string, string>> = {
  CONFAB_FILES_S3_ENDPOINT: 'https://s3.example:9000',
  CONFAB_FILES_S3_BUCKET: 'my-bucket',
  CONFAB_FILES_S3_ACCESS_KEY: 'AKIA',
  CONFAB_FILES_S3_SECRET_KEY: 'secret/of+mine',
}
const tls: Readonly<Record<string, string>> = { CONFAB_TLS_CERT: 'cert.pem', CONFAB_TLS_KEY: 'key.pem' }
/** What only makes sense with others: all of them. */
const together = (env: string): Readonly<Record<string, string>> => [s3, tls].find((all) => env in all) ?? {}

const good: readonly [env: string, text: string, name: keyof Config, value: unknown][] = [
  ['CONFAB_HOST', '::1', 'host', '::1'],
  ['CONFAB_PORT', '0', 'port', 0],
  ['CONFAB_PORT', '65535', 'port', 65_535],
  ['CONFAB_DATA_DIR', '/var/lib/confab', 'dataDir', '/var/lib/confab'],
  ['CONFAB_DATABASE_URL', 'postgresql://u:p@h/d', 'databaseUrl', 'postgresql://u:p@h/d'],
  ['CONFAB_BUS_URL', 'tls://h:4222', 'busUrl', 'tls://h:4222'],
  ['CONFAB_BUS_URL', 'nats://a:4222, nats://b:4222', 'busUrl', 'nats://a:4222, nats://b:4222'],
  ['CONFAB_REGION', 'eu-1', 'region', 'eu-1'],
  ['CONFAB_APP_ID', 'MyApp_1', 'appId', 'myapp_1'],
  ['CONFAB_CALLBACK_ALLOW_CIDRS', '10.0.0.0/8, fd00::/8', 'callbackAllowCidrs', ['10.0.0.0/8', 'fd00::/8']],
  ['CONFAB_CALLBACK_BOT_CIDRS', '10.1.0.0/16', 'botCidrs', ['10.1.0.0/16']],
  ['CONFAB_POISON_POLICY', 'park', 'poisonPolicy', 'park'],
  ['CONFAB_BREAKER_FAILURE_PERCENT', '100', 'breakerFailurePercent', 100],
  ['CONFAB_BREAKER_MIN_ATTEMPTS', '3', 'breakerMinAttempts', 3],
  ['CONFAB_BREAKER_OPEN_FOR', '0s', 'breakerOpenMs', 0],
  ['CONFAB_BEFORE_MESSAGE_ON_FAILURE', 'refuse', 'beforeMessageOnFailure', 'refuse'],
  ['CONFAB_BOT_HOP_LIMIT', '1', 'botHopLimit', 1],
  ['CONFAB_CALLBACK_TIMEOUT', '1m', 'callbackTimeoutMs', 60_000],
  ['CONFAB_CALLBACK_TIMEOUT', '1500ms', 'callbackTimeoutMs', 1500],
  ['CONFAB_CALLBACK_CONCURRENCY', '1', 'callbackConcurrency', 1],
  ['CONFAB_BOT_CONCURRENCY', '7', 'botConcurrency', 7],
  ['CONFAB_ROLES', 'delivery,api,api', 'roles', ['delivery', 'api']],
  ['CONFAB_LOG_LEVEL', 'silent', 'logLevel', 'silent'],
  ['CONFAB_RETRY_SCHEDULE', '5s, 5s,1m', 'retryDelaysMs', [5000, 5000, 60_000]],
  ['CONFAB_DELIVERY_RETENTION', '0s', 'deliveryRetentionMs', 0],
  ['CONFAB_DELIVERY_RETENTION', '48h', 'deliveryRetentionMs', 172_800_000],
  ['CONFAB_AUDIT_RETENTION', '24h', 'auditRetentionMs', 86_400_000],
  ['CONFAB_RATE_LIMIT_APP', '20000', 'rateLimitApp', 20_000],
  ['CONFAB_RATE_LIMIT_APP_CORE', '10000', 'rateLimitAppCore', 10_000],
  ['CONFAB_RATE_LIMIT_TOKEN', '0', 'rateLimitToken', 0],
  ['CONFAB_LEASE', '5s', 'leaseMs', 5000],
  ['CONFAB_COMPAT_SHOW_BOT_PASSWORD', 'true', 'showBotPassword', true],
  ['CONFAB_COMPAT_SHOW_BOT_PASSWORD', 'false', 'showBotPassword', false],
  ['CONFAB_MASTER_KEY', keyBytes.toString('hex').toUpperCase(), 'masterKey', expect.objectContaining({ id: keyId })],
  ['CONFAB_MASTER_KEY', keyBytes.toString('base64'), 'masterKey', expect.objectContaining({ id: keyId })],
  ['CONFAB_MASTER_KEY', keyBytes.toString('base64url'), 'masterKey', expect.objectContaining({ id: keyId })],
  ['CONFAB_MASTER_KEY_PREVIOUS', keyBytes.toString('hex'), 'masterKeyPrevious', expect.objectContaining({ id: keyId })],
  ['CONFAB_RETRY_FOR', '48h', 'retryForMs', 48 * 3_600_000],
  ['CONFAB_SHUTDOWN_GRACE', '0s', 'shutdownGraceMs', 0],
  ['CONFAB_SHUTDOWN_GRACE', '1h', 'shutdownGraceMs', 3_600_000],
  ['CONFAB_PUBLIC_URL', 'HTTPS://Chat.Example:443/', 'publicUrl', 'https://chat.example'],
  ['CONFAB_TRUSTED_PROXIES', '10.0.0.0/8, ::1/128', 'trustedProxies', ['10.0.0.0/8', '::1/128']],
  ['CONFAB_CORS_ORIGINS', '*', 'corsOrigins', ['*']],
  [
    'CONFAB_CORS_ORIGINS',
    'HTTPS://App.Example:443/,http://localhost:3000,capacitor://localhost',
    'corsOrigins',
    ['https://app.example', 'http://localhost:3000', 'capacitor://localhost'],
  ],
  ['CONFAB_TLS_CERT', '/etc/cert.pem', 'tlsCert', '/etc/cert.pem'],
  ['CONFAB_TLS_KEY', 'key.pem', 'tlsKey', 'key.pem'],
  ['CONFAB_GATEWAY_PATH', '/a/ws', 'gatewayPath', '/a/ws'],
  ['CONFAB_GATEWAY_MAX_FRAME', '1KB', 'gatewayMaxFrame', 1024],
  ['CONFAB_GATEWAY_MAX_BUFFERED', '2MB', 'gatewayMaxBuffered', 2 * 1024 ** 2],
  ['CONFAB_GATEWAY_FRAMES_PER_SECOND', '100', 'gatewayFramesPerSecond', 100],
  ['CONFAB_GATEWAY_PRESENCE_USERS', '0', 'gatewayPresenceUsers', 0],
  ['CONFAB_EXTENSION_DOMAIN', 'ext.example', 'extensionDomain', 'ext.example'],
  ['CONFAB_MAX_FILE_SIZE', '1GB', 'maxFileBytes', 1024 ** 3],
  ['CONFAB_MAX_FILE_SIZE', '1B', 'maxFileBytes', 1],
  ['CONFAB_MAX_UPLOAD_SIZE', '1536KB', 'maxUploadBytes', 1536 * 1024],
  ['CONFAB_FILES_S3_ENDPOINT', 'https://s3.example:9000/', 's3Endpoint', 'https://s3.example:9000'],
  ['CONFAB_FILES_S3_BUCKET', 'a.b-c', 's3Bucket', 'a.b-c'],
  ['CONFAB_FILES_S3_REGION', 'auto', 's3Region', 'auto'],
  ['CONFAB_FILES_S3_ACCESS_KEY', 'AKIA+/=', 's3AccessKey', 'AKIA+/='],
  ['CONFAB_FILES_S3_SECRET_KEY', 'a+/=', 's3SecretKey', 'a+/='],
  ['CONFAB_FILES_S3_PREFIX', 'a/b/', 's3Prefix', 'a/b/'],
  ['CONFAB_FILES_S3_PATH_STYLE', 'false', 's3PathStyle', false],
  ['CONFAB_FILES_S3_REDIRECT', 'true', 's3Redirect', true],
  ...limitSettings.flatMap(({ env, name, taken }) =>
    taken
      // A message so large needs a larger body: see below.
      .filter(([text]) => !(name === 'limitMessageDataBytes' && text === `${1024 ** 2}B`))
      .map(([text, value]): [string, string, keyof Config, unknown] => [env, text, name, value]),
  ),
]
test.each(good)('%s=%s is taken', (env, text, name, value) => {
  expect(parsed({ ...together(env), [env]: text })[name]).toEqual(value)
})

test('a certificate and its key come together', () => {
  const problem = (key: string, other: string, of: string) => ({ key, problem: `is needed with ${other}: the ${of}` })
  expect(problems({ CONFAB_TLS_CERT: 'x' })).toEqual([
    problem('CONFAB_TLS_KEY', 'CONFAB_TLS_CERT', 'key of that certificate'),
  ])
  expect(problems({ CONFAB_TLS_KEY: 'x' })).toEqual([
    problem('CONFAB_TLS_CERT', 'CONFAB_TLS_KEY', 'certificate of that key'),
  ])
})

test('the embedded store is for one process, which must then do everything', () => {
  const postgres = { CONFAB_DATABASE_URL: 'postgres://h/d' }
  expect(parsed({ CONFAB_ROLES: 'delivery', ...postgres }).roles).toEqual(['delivery'])
  expect(problems({ CONFAB_ROLES: 'delivery' })).toEqual([
    { key: 'CONFAB_ROLES', problem: 'must hold every role where CONFAB_DATABASE_URL is not set' },
  ])
})

const bad: readonly (readonly [env: string, text: string])[] = [
  ['CONFAB_HOST', 'http://x'],
  ['CONFAB_PORT', '65536'],
  ['CONFAB_PORT', '-1'],
  ['CONFAB_PORT', '4e3'],
  ['CONFAB_PORT', ' 4000'],
  ['CONFAB_DATA_DIR', 'a\0b'],
  ['CONFAB_DATABASE_URL', 'mysql://u:p@h/d'],
  ['CONFAB_DATABASE_URL', 'not a url'],
  ['CONFAB_DATABASE_URL', 'postgres:///d'],
  ['CONFAB_BUS_URL', 'redis://h'],
  ['CONFAB_BUS_URL', 'nats://a,http://b'],
  ['CONFAB_REGION', 'EU'],
  ['CONFAB_REGION', 'a'.repeat(33)],
  ['CONFAB_APP_ID', 'a b'],
  ['CONFAB_REST_API_KEY', 'a'.repeat(15)],
  ['CONFAB_AUTH_KEY', `${'a'.repeat(20)}!`],
  ['CONFAB_CALLBACK_ALLOW_CIDRS', '10.0.0.0'],
  ['CONFAB_CALLBACK_ALLOW_CIDRS', '10.0.0.0/33'],
  ['CONFAB_CALLBACK_ALLOW_CIDRS', '10.0.0.0/8,'],
  ['CONFAB_CALLBACK_ALLOW_CIDRS', '0x7f.1/8'],
  ['CONFAB_CALLBACK_ALLOW_CIDRS', '010.0.0.0/8'],
  ['CONFAB_CALLBACK_BOT_CIDRS', '10.1.0.1/16'],
  ['CONFAB_TRUSTED_PROXIES', 'true'],
  ['CONFAB_TRUSTED_PROXIES', '10.0.0.1'],
  ...['app.example', '*,', 'https://app.example/x', 'https://*.example', 'null', 'https://u@app.example'].map(
    (text) => ['CONFAB_CORS_ORIGINS', text] as const,
  ),
  ['CONFAB_TLS_CERT', 'a\0b'],
  ['CONFAB_TLS_KEY', 'a\0b'],
  ['CONFAB_GATEWAY_PATH', 'ws'],
  ['CONFAB_GATEWAY_PATH', '/ws/'],
  ['CONFAB_GATEWAY_PATH', '/ws?x'],
  ['CONFAB_EXTENSION_DOMAIN', 'https://ext.example'],
  ['CONFAB_POISON_POLICY', 'stop'],
  ['CONFAB_BREAKER_FAILURE_PERCENT', '0'],
  ['CONFAB_BREAKER_MIN_ATTEMPTS', '0'],
  ['CONFAB_BREAKER_OPEN_FOR', '2h'],
  ['CONFAB_BEFORE_MESSAGE_ON_FAILURE', 'ignore'],
  ['CONFAB_BOT_HOP_LIMIT', '0'],
  ['CONFAB_CALLBACK_TIMEOUT', '10'],
  ['CONFAB_CALLBACK_TIMEOUT', '999ms'],
  ['CONFAB_CALLBACK_TIMEOUT', '61s'],
  ['CONFAB_CALLBACK_CONCURRENCY', '0'],
  ['CONFAB_BOT_CONCURRENCY', 'many'],
  ['CONFAB_ROLES', 'api,gate'],
  ['CONFAB_GATEWAY_MAX_FRAME', '100B'],
  ['CONFAB_GATEWAY_MAX_BUFFERED', '1KB'],
  ['CONFAB_GATEWAY_FRAMES_PER_SECOND', '0'],
  ['CONFAB_GATEWAY_PRESENCE_USERS', 'all'],
  ['CONFAB_LOG_LEVEL', 'INFO'],
  ['CONFAB_SHUTDOWN_GRACE', '2h'],
  ['CONFAB_RETRY_SCHEDULE', '5s,'],
  ['CONFAB_RETRY_SCHEDULE', '0s,5s'],
  ['CONFAB_RETRY_FOR', '721h'],
  ['CONFAB_DELIVERY_RETENTION', '0'],
  ['CONFAB_DELIVERY_RETENTION', '7d'],
  ['CONFAB_AUDIT_RETENTION', '90d'],
  ['CONFAB_RATE_LIMIT_APP', 'none'],
  ['CONFAB_RATE_LIMIT_APP_CORE', '-1'],
  ['CONFAB_RATE_LIMIT_TOKEN', '600/min'],
  ['CONFAB_LEASE', '999ms'],
  ['CONFAB_COMPAT_SHOW_BOT_PASSWORD', '1'],
  ['CONFAB_COMPAT_SHOW_BOT_PASSWORD', 'constructor'],
  ['CONFAB_MASTER_KEY', 'correct horse battery staple'],
  ['CONFAB_MASTER_KEY', Buffer.alloc(31).toString('base64')],
  ['CONFAB_MASTER_KEY', Buffer.alloc(33).toString('hex')],
  ['CONFAB_MASTER_KEY', `${Buffer.alloc(32).toString('hex')} `],
  ['CONFAB_MASTER_KEY_PREVIOUS', Buffer.alloc(24).toString('base64')],
  ...['0B', '100', '1.5MB', '-1MB', '6GB', '1TB', '1 MB', '1mb'].map((text) => ['CONFAB_MAX_FILE_SIZE', text] as const),
  ['CONFAB_MAX_UPLOAD_SIZE', '1023B'],
  ['CONFAB_MAX_UPLOAD_SIZE', '51GB'],
  ...['chat.example', 'ftp://x', 'https://x/path', 'https://x?q', 'https://u:p@x', 'https://x#f', 'javascript:1'].map(
    (text) => ['CONFAB_PUBLIC_URL', text] as const,
  ),
  ['CONFAB_FILES_S3_REGION', 'EU'],
  ['CONFAB_FILES_S3_PREFIX', '/a'],
  ['CONFAB_FILES_S3_PREFIX', 'a b'],
  ['CONFAB_FILES_S3_PREFIX', 'a//b'],
  ['CONFAB_FILES_S3_PATH_STYLE', 'yes'],
  ['CONFAB_FILES_S3_REDIRECT', '1'],
  ['CONFAB_FILES_S3_ENDPOINT', 's3.example'],
  ['CONFAB_FILES_S3_BUCKET', 'No Bucket'],
  ['CONFAB_FILES_S3_ACCESS_KEY', 'hunter 9'],
  ['CONFAB_FILES_S3_SECRET_KEY', 'hunter 10'],
  ...limitSettings.flatMap(({ env, refused }) => refused.map((text) => [env, text] as const)),
]
test.each(bad)('%s=%s is refused, by name and without its value', (env, text) => {
  const expects = settingRows.find(([, row]) => row.env === env)?.[1].type.expects
  const { [env]: _refused, ...others } = together(env)
  expect(problems({ ...others, [env]: text })).toEqual([{ key: env, problem: `must be ${expects}` }])
})

test('each setting has a value that is refused and one that is taken', () => {
  const all = settingRows.map(([, row]) => row.env).sort()
  expect([...new Set(bad.map(([env]) => env))].sort()).toEqual(all)
  const withKeys = [...good.map(([env]) => env), 'CONFAB_REST_API_KEY', 'CONFAB_AUTH_KEY']
  expect([...new Set(withKeys)].sort()).toEqual(all)
})

test('a body holds the largest message', () => {
  const data = { CONFAB_LIMIT_MESSAGE_DATA: '1MB' }
  const wrong = [{ key: 'CONFAB_LIMIT_BODY', problem: 'must be at least twice CONFAB_LIMIT_MESSAGE_DATA' }]
  expect(problems(data)).toEqual(wrong)
  expect(problems({ ...data, CONFAB_LIMIT_BODY: '2047KB' })).toEqual(wrong)
  expect(parsed({ ...data, CONFAB_LIMIT_BODY: '2MB' })).toMatchObject({ limitMessageDataBytes: 1024 ** 2 })
})

describe('limits', () => {
  test('each has a setting, with the default of the contract', () => {
    expect(limitSettings.map(({ limit }) => limit).sort()).toEqual([...limitNames].sort())
    expect(limitsOf(parsed({}))).toEqual(defaultLimits)
    expect(limitsOf(parsed({ CONFAB_LIMIT_TAGS: '3', CONFAB_LIMIT_MUID_WINDOW: '2m' }))).toEqual({
      ...{ ...defaultLimits, tags: 3, muidWindowSeconds: 120 },
    })
  })

  test('schemas take what is set, and are themselves where nothing is', () => {
    const lowered = { ...defaultLimits, tags: 2, tagLength: 3, pageSizeMax: 30 }
    expect(withLimits(CreateUser, defaultLimits)).toBe(CreateUser)
    const user = Compile(withLimits(CreateUser, lowered))
    const tagged = (...tags: string[]) => user.Check({ uid: 'a', name: 'A', tags })
    expect([tagged('abc', 'b'), tagged('a', 'b', 'c'), tagged('abcd')]).toEqual([true, false, false])
    expect([
      user.Check({ uid: 'a', name: 'A' }),
      user.Check({ uid: 'a' }),
      user.Check({ uid: '!', name: 'A' }),
    ]).toEqual([true, false, false])
    // What stands where nothing is said is no more than may be asked for.
    expect(withLimits(ListUsers, lowered).properties.perPage).toMatchObject({ maximum: 30, default: 30 })
    expect(withLimits(ListUsers, { ...lowered, pageSizeMax: 5000 }).properties.perPage).toMatchObject({
      ...{ maximum: 5000, default: 100 },
    })
    const nullable = Compile(withLimits(ResetConversation, lowered))
    expect([nullable.Check(null), nullable.Check({}), nullable.Check(1)]).toEqual([true, true, false])
  })
})

describe('sources', () => {
  test('flag over environment over the command’s defaults over the table', () => {
    const defaults = { port: 1 }
    expect(parsed({}, { defaults }).port).toBe(1)
    expect(parsed({ CONFAB_PORT: '2' }, { defaults }).port).toBe(2)
    expect(parsed({ CONFAB_PORT: '2' }, { defaults, flags: { port: '3' } }).port).toBe(3)
    expect(parsed({ CONFAB_PORT: '' }, { defaults }).port).toBe(1)
  })

  test('every setting is a flag that parseArgs understands', () => {
    const args = ['--data-dir', 'x', '--callback-timeout=5s']
    const { values } = parseArgs({ args, options: flagOptions })
    expect(parsed({}, { flags: values })).toMatchObject({ dataDir: 'x', callbackTimeoutMs: 5000 })
    expect(Object.keys(flagOptions)).toHaveLength(settingRows.length)
  })

  test('a flag that is wrong is named as it was written', () => {
    const flags = { port: true, region: '', 'log-level': 'loud' } as const
    expect(keys(problems({ CONFAB_PORT: '1' }, { flags }))).toEqual(['--port', '--region', '--log-level'])
  })

  test('the development defaults are this machine only', () => {
    expect(parsed({}, { defaults: developmentDefaults })).toMatchObject({
      host: '127.0.0.1',
      callbackAllowCidrs: ['127.0.0.0/8', '::1/128'],
    })
  })
})

describe('problems', () => {
  test('all of them are named at once', () => {
    const env = { CONFAB_PORT: 'x', CONFAB_REGION: 'X', CONFAB_LOG_LEVEL: 'x', CONFAB_PROT: '1' }
    const flags = { 'data-dri': 'x' }
    expect(keys(problems(env, { flags }))).toEqual([
      'CONFAB_PROT',
      '--data-dri',
      'CONFAB_PORT',
      'CONFAB_REGION',
      'CONFAB_LOG_LEVEL',
    ])
  })

  test('those between settings too, unless one of them was refused', () => {
    const env = { CONFAB_PORT: 'x', CONFAB_REST_API_KEY: rest }
    expect(keys(problems(env))).toEqual(['CONFAB_PORT', 'CONFAB_REST_API_KEY'])
    expect(keys(problems({ ...env, CONFAB_APP_ID: '!' }))).toEqual(['CONFAB_PORT', 'CONFAB_APP_ID'])
  })

  test('an unknown name comes with the one that was meant, if there is one', () => {
    expect(problems({ CONFAB_PROT: '1' })[0]?.problem).toBe('is no known setting; did you mean CONFAB_PORT?')
    expect(problems({}, { flags: { 'log-levle': 'x' } })[0]?.problem).toMatch(/did you mean --log-level\?/)
    expect(problems({ CONFAB_SOMETHING_ELSE_ENTIRELY: '1' })[0]?.problem).toBe('is no known setting')
    expect(problems({ CONFAB_TEST_POSTGRES_URL: 'x', CONFABULATE: 'x' })).toEqual([])
  })

  test('keys need an app, and differ', () => {
    const CONFAB_APP_ID = 'app'
    expect(keys(problems({ CONFAB_REST_API_KEY: rest, CONFAB_AUTH_KEY: auth }))).toEqual([
      'CONFAB_REST_API_KEY',
      'CONFAB_AUTH_KEY',
    ])
    expect(keys(problems({ CONFAB_APP_ID, CONFAB_REST_API_KEY: rest, CONFAB_AUTH_KEY: rest }))).toEqual([
      'CONFAB_AUTH_KEY',
    ])
    expect(parsed({ CONFAB_APP_ID, CONFAB_REST_API_KEY: rest, CONFAB_AUTH_KEY: auth })).toMatchObject({
      appId: 'app',
      restApiKey: rest,
      authKey: auth,
    })
  })
})

test('a previous master key needs a present one, and differs', () => {
  const [CONFAB_MASTER_KEY, other] = [keyBytes, otherBytes].map((bytes) => bytes.toString('base64'))
  const CONFAB_DATABASE_URL = 'postgres://h/d'
  const alone = { CONFAB_MASTER_KEY_PREVIOUS: CONFAB_MASTER_KEY }
  expect(keys(problems({ ...alone, CONFAB_DATABASE_URL }))).toEqual(['CONFAB_MASTER_KEY_PREVIOUS'])
  // With the embedded store the present one may be in its file.
  expect(keys(problems(alone))).toEqual([])
  expect(keys(problems({ CONFAB_MASTER_KEY, CONFAB_MASTER_KEY_PREVIOUS: keyBytes.toString('hex') }))).toEqual([
    'CONFAB_MASTER_KEY_PREVIOUS',
  ])
  expect(keys(problems({ CONFAB_MASTER_KEY, CONFAB_MASTER_KEY_PREVIOUS: other, CONFAB_DATABASE_URL }))).toEqual([])
})

describe('print', () => {
  const env = {
    CONFAB_APP_ID: 'app',
    CONFAB_REST_API_KEY: rest,
    CONFAB_AUTH_KEY: auth,
    CONFAB_DATABASE_URL: 'postgres://chat:hunter2@db:5432/confab?sslpassword=hunter3&sslmode=require',
    CONFAB_BUS_URL: 'nats://token4@a:4222,nats://u:hunter5@b:4222',
    CONFAB_CALLBACK_TIMEOUT: '5000ms',
    CONFAB_MASTER_KEY: keyBytes.toString('base64'),
  }
  const lines = printRedacted(parsed(env)).split('\n')

  test('shows what is in force', () => {
    expect(lines).toEqual(
      expect.arrayContaining(['CONFAB_PORT=4000', 'CONFAB_CALLBACK_TIMEOUT=5s', 'CONFAB_ROLES=api,delivery,gateway']),
    )
    expect(printRedacted(parsed({}))).toContain('CONFAB_REST_API_KEY=(unset)\n')
  })

  test('shows no secret', () => {
    expect(lines).toEqual(
      expect.arrayContaining([
        'CONFAB_REST_API_KEY=(set)',
        'CONFAB_AUTH_KEY=(set)',
        'CONFAB_MASTER_KEY=(set)',
        'CONFAB_MASTER_KEY_PREVIOUS=(unset)',
        'CONFAB_DATABASE_URL=postgres://chat:***@db:5432/confab?sslpassword=***&sslmode=require',
        'CONFAB_BUS_URL=nats://***@a:4222,nats://u:***@b:4222',
      ]),
    )
    expect(lines.join('\n')).not.toMatch(/hunter|token4|rest-rest|auth-auth/)
    const key = parsed(env).masterKey
    for (const text of [lines.join('\n'), inspect(parsed(env), { depth: 9 }), JSON.stringify(parsed(env))]) {
      expect(text).not.toContain(keyBytes.toString('base64').slice(0, 20))
      expect(text).not.toContain(keyBytes.toString('hex').slice(0, 20))
    }
    expect(key?.key.export()).toEqual(keyBytes)
  })

  test('no secret stands in a problem, whatever is wrong', () => {
    const secrets = {
      CONFAB_REST_API_KEY: `${rest}!`,
      CONFAB_AUTH_KEY: `${auth}!`,
      CONFAB_DATABASE_URL: 'hunter2',
      CONFAB_BUS_URL: 'hunter3',
      CONFAB_MASTER_KEY: 'hunter8',
      CONFAB_FILES_S3_ACCESS_KEY: 'hunter 9',
      CONFAB_FILES_S3_SECRET_KEY: 'hunter 10',
    }
    const found = JSON.stringify([
      ...problems(secrets),
      ...problems({ CONFAB_REST_API_KEY: rest, CONFAB_AUTH_KEY: rest }),
      ...problems({ CONFAB_APP_ID: 'a', CONFAB_REST_API_KEY: rest, CONFAB_AUTH_KEY: rest }),
      ...problems({ CONFAB_REST_API_KEYS: rest }, { flags: { 'auth-keys': auth } }),
    ])
    expect(found).not.toMatch(/hunter|rest-rest|auth-auth/)
  })
})

describe('files', () => {
  test('no key is shown', () => {
    expect(printRedacted(parsed(s3))).not.toMatch(/AKIA|of\+mine/)
  })

  test('S3 is configured as a whole', () => {
    expect(problems({})).toEqual([])
    for (const missing of Object.keys(s3)) {
      const { [missing]: _missing, ...rest } = s3
      expect(problems(rest)).toEqual([{ key: missing, problem: 'is needed where files are kept by S3' }])
    }
  })
})

describe('documents', () => {
  const root = new URL('../../../../', import.meta.url)
  const names = (text: string): string[] => [...new Set(text.match(/CONFAB_[A-Z0-9_]*[A-Z]/g) ?? [])].sort()
  const flags = (text: string): string[] => [...new Set(text.match(/--[a-z][a-z0-9-]*/g) ?? [])].sort()
  const allNames = settingRows.map(([, row]) => row.env).sort()
  const allFlags = settingRows.map(([, row]) => `--${flagOf(row)}`).sort()

  test.each([
    ['docs/reference/config.md', renderMarkdown()],
    ['.env.example', renderEnvExample()],
  ])('%s is fresh', (file, text) => {
    expect(readFileSync(new URL(file, root), 'utf8')).toBe(text)
  })

  test('every setting is documented, and every documented setting exists', () => {
    for (const text of [renderMarkdown(), renderHelp(), renderEnvExample()]) expect(names(text)).toEqual(allNames)
    for (const text of [renderMarkdown(), renderHelp()]) {
      expect(flags(text.replace('<!--', '').replace('-->', ''))).toEqual(allFlags)
    }
  })

  test('.env.example with every line put in force is a configuration, but for the secrets, which everybody could know', () => {
    const env = Object.fromEntries(
      renderEnvExample()
        .split('\n')
        .filter((line) => line.startsWith('#CONFAB_'))
        .map((line) => {
          const [name = '', ...value] = line.slice(1).split('=')
          return [name, value.join('=')]
        }),
    )
    expect(Object.keys(env).sort()).toEqual(allNames)
    expect(keys(problems(env))).toEqual([
      'CONFAB_REST_API_KEY',
      'CONFAB_AUTH_KEY',
      'CONFAB_MASTER_KEY',
      'CONFAB_MASTER_KEY_PREVIOUS',
      'CONFAB_FILES_S3_ACCESS_KEY',
      'CONFAB_FILES_S3_SECRET_KEY',
    ])
    const s3 = { CONFAB_FILES_S3_ACCESS_KEY: 'AKIA', CONFAB_FILES_S3_SECRET_KEY: 'x/y+z' }
    const master = {
      CONFAB_MASTER_KEY: keyBytes.toString('hex'),
      CONFAB_MASTER_KEY_PREVIOUS: otherBytes.toString('hex'),
    }
    const own = { CONFAB_REST_API_KEY: rest, CONFAB_AUTH_KEY: auth, ...master, ...s3 }
    expect(parsed({ ...env, ...own })).toMatchObject({ port: 4000, appId: 'my-app' })
  })

  test('no line of the help is longer than a terminal is wide', () => {
    expect(
      renderHelp()
        .split('\n')
        .filter((line) => line.length > 100),
    ).toEqual([])
  })
})
