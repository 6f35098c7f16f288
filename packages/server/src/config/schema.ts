/**
 * Every setting of the server, in one closed table. The parser, the help text, `docs/reference/config.md`,
 * `.env.example` and the redacted print are derived from it; so is the type `Config`.
 */
import { poisonPolicies } from '@confab/protocol'
import { defaultBreaker } from '../delivery/breaker.ts'
import { defaultSchedule } from '../delivery/schedule.ts'
import { limitSettings } from './limits.ts'
import * as value from './values.ts'

export interface Setting<T> {
  readonly env: `CONFAB_${string}`
  readonly type: value.ValueType<NonNullable<T>>
  readonly default: T
  readonly doc: string
  /** What `.env.example` shows where the default is no good example. For a secret, nothing that would be taken. */
  readonly example?: string
  /** How it is printed: `secret` as set or unset, `url` without what is secret in it. */
  readonly hide?: 'secret' | 'url'
  /** `confab dev` has another default. */
  readonly development?: NonNullable<T>
}

const setting = <T>(row: Setting<T>): Setting<T> => row

const optional = <T>(row: Omit<Setting<T | undefined>, 'default'>): Setting<T | undefined> => ({
  ...row,
  default: undefined,
})

export const roles = ['api', 'delivery', 'gateway'] as const
export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export const settings = {
  host: setting({
    env: 'CONFAB_HOST',
    type: value.hostName,
    default: '0.0.0.0',
    development: '127.0.0.1',
    doc: 'The address to listen on. `0.0.0.0` is every interface, `127.0.0.1` this machine only.',
  }),
  port: setting({
    env: 'CONFAB_PORT',
    type: value.integer(0, 65_535),
    default: 4000,
    doc: 'The port to listen on; 0 takes any free one.',
  }),
  publicUrl: optional({
    env: 'CONFAB_PUBLIC_URL',
    type: value.origin,
    example: 'https://chat.example',
    doc:
      'Where people reach the server: the beginning of the URLs of files, and the host that clients are told. Unset: what proxies in ' +
      'CONFAB_TRUSTED_PROXIES say, else the scheme that the server itself speaks and the `Host` of each request.',
  }),
  trustedProxies: setting<readonly string[]>({
    env: 'CONFAB_TRUSTED_PROXIES',
    type: value.ranges,
    default: [],
    example: '127.0.0.1/32,10.0.0.0/8',
    doc:
      'Where your reverse proxies are: what they say by `X-Forwarded-For`, `-Proto` and `-Host`, or else by `Forwarded`, is believed. ' +
      'What others say there is not looked at.',
  }),
  corsOrigins: setting<readonly string[]>({
    env: 'CONFAB_CORS_ORIGINS',
    type: value.origins,
    default: [],
    development: ['*'],
    example: 'https://app.example,https://admin.example',
    doc:
      'The web pages that may call the server from a browser, by their origins, beside those that the server itself is the origin of. ' +
      '`*`: any page.',
  }),
  tlsCert: optional({
    env: 'CONFAB_TLS_CERT',
    type: value.path,
    example: '/etc/letsencrypt/live/chat.example/fullchain.pem',
    doc: 'The certificate with its chain, as PEM. With it the server speaks https on its port; a changed file is taken without a restart.',
  }),
  tlsKey: optional({
    env: 'CONFAB_TLS_KEY',
    type: value.path,
    example: '/etc/letsencrypt/live/chat.example/privkey.pem',
    doc: 'The private key of CONFAB_TLS_CERT, as PEM, without a passphrase.',
  }),
  extensionDomain: optional({
    env: 'CONFAB_EXTENSION_DOMAIN',
    type: value.hostName,
    example: 'extensions.chat.example',
    doc: 'Where client SDKs look for extensions, as `<extension>-<region>.<domain>`. Unset: at the server itself, which has none and says so.',
  }),
  dataDir: setting({
    env: 'CONFAB_DATA_DIR',
    type: value.path,
    default: './data',
    doc: 'The folder of the embedded database, and of files: those that are stored there, and those on their way in.',
  }),
  databaseUrl: optional({
    env: 'CONFAB_DATABASE_URL',
    type: value.databaseUrl,
    hide: 'url',
    example: 'postgres://confab:change-me@db.example:5432/confab',
    doc: 'The PostgreSQL database that several nodes share. Unset: the embedded SQLite in the data folder, for one node.',
  }),
  busUrl: optional({
    env: 'CONFAB_BUS_URL',
    type: value.busUrl,
    hide: 'url',
    example: 'nats://bus.example:4222',
    doc:
      'The NATS server or cluster that carries hints between nodes. Unset: PostgreSQL carries them (LISTEN/NOTIFY, ' +
      'which needs a direct connection, not a pooler in transaction mode), or with SQLite the process itself.',
  }),
  region: setting({
    env: 'CONFAB_REGION',
    type: value.region,
    default: 'local',
    doc: 'The name of the region that host names and payloads carry.',
  }),
  appId: optional({
    env: 'CONFAB_APP_ID',
    type: value.appId,
    example: 'my-app',
    doc: 'The app to create at start, unless it exists.',
  }),
  restApiKey: optional({
    env: 'CONFAB_REST_API_KEY',
    type: value.apiKey,
    hide: 'secret',
    example: '<openssl rand -hex 20>',
    doc: 'The key of scope fullAccess that the app shall have. Needs CONFAB_APP_ID.',
  }),
  authKey: optional({
    env: 'CONFAB_AUTH_KEY',
    type: value.apiKey,
    hide: 'secret',
    example: '<openssl rand -hex 20>',
    doc: 'The key of scope authOnly that the app shall have. Needs CONFAB_APP_ID; differs from CONFAB_REST_API_KEY.',
  }),
  masterKey: optional({
    env: 'CONFAB_MASTER_KEY',
    type: value.masterKey,
    hide: 'secret',
    example: '<openssl rand -base64 32>',
    doc:
      'The key under which signing secrets and passwords of bots are encrypted in the store. Unset: with the embedded store one is ' +
      'made and kept in `master.key` in the data folder; with PostgreSQL they are stored in clear. Without its key a store is of no use.',
  }),
  masterKeyPrevious: optional({
    env: 'CONFAB_MASTER_KEY_PREVIOUS',
    type: value.masterKey,
    hide: 'secret',
    example: '<the key before>',
    doc: 'Another master key that is accepted for reading while the key is being changed.',
  }),
  showBotPassword: setting({
    env: 'CONFAB_COMPAT_SHOW_BOT_PASSWORD',
    type: value.flag,
    default: false,
    doc: 'Whether answers show the passwords of bots in clear, as the hosted product does. Only for clients that cannot do without.',
  }),
  callbackAllowCidrs: setting<readonly string[]>({
    env: 'CONFAB_CALLBACK_ALLOW_CIDRS',
    type: value.ranges,
    default: [],
    development: ['127.0.0.0/8', '::1/128'],
    example: '10.0.0.0/8,fd00::/8',
    doc: 'Private address ranges to which callbacks may go. All others are refused, so that nobody reaches into your network.',
  }),
  botCidrs: setting<readonly string[]>({
    env: 'CONFAB_CALLBACK_BOT_CIDRS',
    type: value.ranges,
    default: [],
    example: '10.1.0.0/16',
    doc:
      'Private address ranges that single bots may be given by `allowCidrs`, by whoever has a full-access key of their app. ' +
      'What is allowed for all by CONFAB_CALLBACK_ALLOW_CIDRS needs no mention here.',
  }),
  callbackTimeoutMs: setting({
    env: 'CONFAB_CALLBACK_TIMEOUT',
    type: value.duration(1000, 60_000),
    default: 10_000,
    doc: 'How long one attempt of a callback may take in all, where the bot does not say otherwise.',
  }),
  retryDelaysMs: setting<readonly number[]>({
    env: 'CONFAB_RETRY_SCHEDULE',
    type: value.durations(10, 86_400_000),
    default: defaultSchedule.delaysMs,
    doc: 'How long to wait after the first, second, … failed attempt of a callback; the last one repeats. ±20 % at random.',
  }),
  retryForMs: setting({
    env: 'CONFAB_RETRY_FOR',
    type: value.duration(0, 30 * 86_400_000),
    default: defaultSchedule.maxAgeMs,
    doc: 'How long after the first attempt the last one is planned at most. Then the callback is dead, and the next one has its turn.',
  }),
  callbackConcurrency: setting({
    env: 'CONFAB_CALLBACK_CONCURRENCY',
    type: value.integer(1, 100_000),
    default: 512,
    doc: 'How many attempts this node has under way at most. The last eighth is for bots that have few, so that slow ones leave room.',
  }),
  botConcurrency: setting({
    env: 'CONFAB_BOT_CONCURRENCY',
    type: value.integer(1, 10_000),
    default: 40,
    doc: 'How many attempts for one bot are under way at most, where the bot does not say otherwise.',
  }),
  poisonPolicy: setting<(typeof poisonPolicies)[number]>({
    env: 'CONFAB_POISON_POLICY',
    type: value.oneOf(poisonPolicies),
    default: 'skip',
    doc:
      'What becomes of a conversation when the attempts at a callback are used up, where the bot does not say otherwise: `skip` to the ' +
      'next callback, or `park` the conversation until somebody acts.',
  }),
  breakerFailurePercent: setting({
    env: 'CONFAB_BREAKER_FAILURE_PERCENT',
    type: value.integer(1, 100),
    default: defaultBreaker.failureRate * 100,
    doc: 'When so many of the attempts of the last minute have failed, the circuit breaker of the bot opens.',
  }),
  breakerMinAttempts: setting({
    env: 'CONFAB_BREAKER_MIN_ATTEMPTS',
    type: value.integer(1, 10_000),
    default: defaultBreaker.minAttempts,
    doc: 'Of fewer attempts in the last minute nothing is concluded.',
  }),
  breakerOpenMs: setting({
    env: 'CONFAB_BREAKER_OPEN_FOR',
    type: value.duration(0, 3_600_000),
    default: defaultBreaker.openMs,
    doc: 'How long an open circuit breaker waits before it lets one callback through to probe; twice as long after each that fails. `0s`: none ever opens.',
  }),
  beforeMessageOnFailure: setting<'accept' | 'refuse'>({
    env: 'CONFAB_BEFORE_MESSAGE_ON_FAILURE',
    type: value.oneOf(['accept', 'refuse'] as const),
    default: 'accept',
    doc: 'What becomes of a message when a webhook that is asked before it (`before_message`) does not answer in time, or with an error.',
  }),
  botHopLimit: setting({
    env: 'CONFAB_BOT_HOP_LIMIT',
    type: value.integer(1, 1000),
    default: 8,
    doc: 'How many bots may answer each other in turn before one is not called any more. Only bots that ask for it hear other bots.',
  }),
  deliveryRetentionMs: setting({
    env: 'CONFAB_DELIVERY_RETENTION',
    type: value.duration(0, 10 * 365 * 86_400_000),
    default: 7 * 86_400_000,
    doc: 'How long deliveries that are over are kept with their attempts, to be inspected and replayed. `0s`: for ever.',
  }),
  auditRetentionMs: setting({
    env: 'CONFAB_AUDIT_RETENTION',
    type: value.duration(0, 10 * 365 * 86_400_000),
    default: 90 * 86_400_000,
    doc: 'How long it is kept what administrators did. `0s`: for ever.',
  }),
  rateLimitApp: setting({
    env: 'CONFAB_RATE_LIMIT_APP',
    type: value.integer(0, 1_000_000_000),
    default: 0,
    doc: 'How many requests a minute this node takes for each app, core operations aside; the hosted product takes 20000. `0`: any number.',
  }),
  rateLimitAppCore: setting({
    env: 'CONFAB_RATE_LIMIT_APP_CORE',
    type: value.integer(0, 1_000_000_000),
    default: 0,
    doc: 'How many core operations a minute this node takes for each app: users made, deleted or logging in, groups made or joined; the hosted product takes 10000. `0`: any number.',
  }),
  rateLimitToken: setting({
    env: 'CONFAB_RATE_LIMIT_TOKEN',
    type: value.integer(0, 1_000_000_000),
    default: 600,
    doc: 'How many requests a minute this node takes with one auth token of a user, all operations together. `0`: any number.',
  }),
  leaseMs: setting({
    env: 'CONFAB_LEASE',
    type: value.duration(1000, 600_000),
    default: 30_000,
    doc: 'How long the other nodes wait before they take over the callbacks of a node that has died.',
  }),
  maxFileBytes: setting({
    env: 'CONFAB_MAX_FILE_SIZE',
    type: value.bytes(1, 5 * 1024 ** 3),
    default: 100 * 1024 ** 2,
    doc: 'How large a file may be.',
  }),
  maxUploadBytes: setting({
    env: 'CONFAB_MAX_UPLOAD_SIZE',
    type: value.bytes(1024, 50 * 1024 ** 3),
    default: 100 * 1024 ** 2,
    doc: 'How large a message with its files may be, or any other upload: the whole body of the request.',
  }),
  s3Endpoint: optional({
    env: 'CONFAB_FILES_S3_ENDPOINT',
    type: value.origin,
    example: 'https://s3.eu-central-1.amazonaws.com',
    doc: 'The S3-compatible service that keeps files. Unset: they are in the data folder.',
  }),
  s3Bucket: optional({
    env: 'CONFAB_FILES_S3_BUCKET',
    type: value.bucket,
    example: 'confab-files',
    doc: 'The bucket, which exists.',
  }),
  s3Region: setting({
    env: 'CONFAB_FILES_S3_REGION',
    type: value.region,
    default: 'us-east-1',
    doc: 'The region of the bucket, which is part of every signature.',
  }),
  s3AccessKey: optional({
    env: 'CONFAB_FILES_S3_ACCESS_KEY',
    type: value.s3Key,
    hide: 'secret',
    example: '<the access key id>',
    doc: 'The id of the access key. It may put, get and delete objects.',
  }),
  s3SecretKey: optional({
    env: 'CONFAB_FILES_S3_SECRET_KEY',
    type: value.s3Key,
    hide: 'secret',
    example: '<the secret access key>',
    doc: 'The secret of the access key.',
  }),
  s3Prefix: optional({
    env: 'CONFAB_FILES_S3_PREFIX',
    type: value.s3Prefix,
    example: 'confab/',
    doc: 'What the keys of all objects begin with.',
  }),
  s3PathStyle: setting({
    env: 'CONFAB_FILES_S3_PATH_STYLE',
    type: value.flag,
    default: true,
    doc: 'Whether the bucket stands in the path of the URL (`true`), or in front of the host name.',
  }),
  s3Redirect: setting({
    env: 'CONFAB_FILES_S3_REDIRECT',
    type: value.flag,
    default: false,
    doc: 'Whether whoever fetches a file is sent on to the bucket, by a link that is good for five minutes, or gets it through the server.',
  }),
  roles: setting<readonly (typeof roles)[number][]>({
    env: 'CONFAB_ROLES',
    type: value.someOf(roles),
    default: roles,
    doc: 'What this node does: answer requests (`api`), forward messages to bots (`delivery`), hold the sockets of clients (`gateway`).',
  }),
  gatewayPath: setting({
    env: 'CONFAB_GATEWAY_PATH',
    type: value.urlPath,
    default: '/',
    example: '/ws',
    doc: 'Where clients open their sockets, besides `/`. Clients are told: behind a proxy that sends only some paths on, set it.',
  }),
  gatewayMaxFrame: setting({
    env: 'CONFAB_GATEWAY_MAX_FRAME',
    type: value.bytes(1024, 16 * 1024 ** 2),
    default: 64 * 1024,
    doc: 'How large one frame of a client may be. The session of a client that sends a larger one ends.',
  }),
  gatewayMaxBuffered: setting({
    env: 'CONFAB_GATEWAY_MAX_BUFFERED',
    type: value.bytes(16 * 1024, 1024 ** 3),
    default: 1024 ** 2,
    doc: 'How much may wait for a client that does not read. The session of one for whom more would have to wait ends.',
  }),
  gatewayFramesPerSecond: setting({
    env: 'CONFAB_GATEWAY_FRAMES_PER_SECOND',
    type: value.integer(1, 100_000),
    default: 20,
    doc: 'How many frames a second a client may send for long; for a moment, five times as many. Others have no effect.',
  }),
  gatewayPresenceUsers: setting({
    env: 'CONFAB_GATEWAY_PRESENCE_USERS',
    type: value.integer(0, 10_000_000),
    default: 1000,
    doc: 'With more users of an app online, clients are not told who comes and goes. Each who does costs a frame to every session that has asked.',
  }),
  logLevel: setting<(typeof logLevels)[number]>({
    env: 'CONFAB_LOG_LEVEL',
    type: value.oneOf(logLevels),
    default: 'info',
    doc: 'The least grave events that are logged, as JSON lines on standard output.',
  }),
  shutdownGraceMs: setting({
    env: 'CONFAB_SHUTDOWN_GRACE',
    type: value.duration(0, 3_600_000),
    default: 30_000,
    doc: 'How long requests and attempts under way may take to end once the server is told to stop.',
  }),
  ...limitSettings,
} as const

export type SettingName = keyof typeof settings

type ValueOf<S> = S extends Setting<infer T> ? T : never

export type Config = { readonly [Name in SettingName]: ValueOf<(typeof settings)[Name]> }

export type AnySetting = Setting<NonNullable<unknown> | undefined>

const isName = (name: string): name is SettingName => Object.hasOwn(settings, name)

/** The table row by row, for those who treat all settings alike. */
export const settingRows: readonly (readonly [SettingName, AnySetting])[] = Object.keys(settings)
  .filter(isName)
  .map((name) => [name, settings[name]])

/** `CONFAB_DATA_DIR` is also `--data-dir`. */
export const flagOf = ({ env }: Pick<AnySetting, 'env'>): string =>
  env.slice('CONFAB_'.length).toLowerCase().replaceAll('_', '-')

/** What `confab dev` hands to `parseConfig` as its defaults. */
export const developmentDefaults: Partial<Config> = Object.fromEntries(
  settingRows.flatMap(([name, row]) => (row.development === undefined ? [] : [[name, row.development]])),
)
