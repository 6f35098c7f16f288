import { nearest } from './nearest.ts'
import { type AnySetting, type Config, flagOf, type SettingName, settingRows, settings } from './schema.ts'

export interface Problem {
  /** As the person wrote it: `CONFAB_PORT` or `--port`. */
  readonly key: string
  /** What is wrong and what would be right. Never holds a value, which may be a secret. */
  readonly problem: string
}

export interface ConfigInput {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Flag name without dashes → its value; `true` is a flag without one, as `parseArgs` gives it. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>>
  /** What a command changes about the defaults. */
  readonly defaults?: Partial<Config>
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** For `parseArgs` of node:util. */
export const flagOptions: Readonly<Record<string, { readonly type: 'string' }>> = Object.fromEntries(
  settingRows.map(([, row]) => [flagOf(row), { type: 'string' }]),
)

/** What was written for a setting, and where. A variable that is set but empty counts as unset, as Compose leaves it. */
const written = (row: AnySetting, input: ConfigInput): { key: string; text: string | boolean } | undefined => {
  const flag = flagOf(row)
  const fromFlag = input.flags?.[flag]
  if (fromFlag !== undefined) return { key: `--${flag}`, text: fromFlag }
  const fromEnv = input.env[row.env]
  return fromEnv === undefined || fromEnv === '' ? undefined : { key: row.env, text: fromEnv }
}

const parseOne = (name: SettingName, row: AnySetting, input: ConfigInput): { value: unknown } | Problem => {
  const source = written(row, input)
  if (source === undefined) return { value: input.defaults?.[name] ?? row.default }
  const value = typeof source.text === 'string' ? row.type.parse(source.text) : undefined
  return value === undefined ? { key: source.key, problem: `must be ${row.type.expects}` } : { value }
}

const unknownKey = (key: string, known: readonly string[]): Problem => {
  const meant = nearest(key, known)
  return { key, problem: meant === undefined ? 'is no known setting' : `is no known setting; did you mean ${meant}?` }
}

const unknownKeys = ({ env, flags = {} }: ConfigInput): Problem[] => {
  const variables = settingRows.map(([, row]) => row.env)
  const options = settingRows.map(([, row]) => `--${flagOf(row)}`)
  const isOurs = (key: string): boolean => key.startsWith('CONFAB_') && !key.startsWith('CONFAB_TEST_')
  return [
    ...Object.keys(env)
      .filter((key) => isOurs(key) && !variables.some((known) => known === key))
      .map((key) => unknownKey(key, variables)),
    ...Object.keys(flags)
      .map((flag) => `--${flag}`)
      .filter((flag) => !options.includes(flag))
      .map((flag) => unknownKey(flag, options)),
  ]
}

const s3Settings = ['s3Endpoint', 's3Bucket', 's3AccessKey', 's3SecretKey'] as const

/** All four, or none: files must not land in the data folder because one was forgotten. */
const missingOfS3 = (config: Config, refused: ReadonlySet<SettingName>): Problem[] => {
  const isMeant = s3Settings.some((name) => config[name] !== undefined || refused.has(name))
  const missing = s3Settings.filter((name) => config[name] === undefined && !refused.has(name))
  return isMeant
    ? missing.map((name) => ({ key: settings[name].env, problem: 'is needed where files are kept by S3' }))
    : []
}

/** Without its key a certificate is of no use, and a server that was to speak https must not speak http. */
const halfOfTls = ({ tlsCert, tlsKey }: Config, refused: ReadonlySet<SettingName>): Problem[] => {
  const isOther = (value: string | undefined, name: SettingName): boolean => value !== undefined || refused.has(name)
  if (isOther(tlsCert, 'tlsCert') === isOther(tlsKey, 'tlsKey')) return []
  return tlsCert === undefined
    ? [{ key: 'CONFAB_TLS_CERT', problem: 'is needed with CONFAB_TLS_KEY: the certificate of that key' }]
    : [{ key: 'CONFAB_TLS_KEY', problem: 'is needed with CONFAB_TLS_CERT: the key of that certificate' }]
}

/** A message that may be so large must come in, with what stands around its `data`, and with characters that JSON escapes. */
const tooSmallBody = (config: Config, refused: ReadonlySet<SettingName>): Problem[] => {
  const { limitBodyBytes: body, limitMessageDataBytes: data } = config
  if (refused.has('limitBodyBytes') || refused.has('limitMessageDataBytes') || body >= 2 * data) return []
  return [{ key: settings.limitBodyBytes.env, problem: `must be at least twice ${settings.limitMessageDataBytes.env}` }]
}

/** What no setting can see alone. A setting that was refused is unset here; its absence is no second problem. */
const crossProblems = (config: Config, refused: ReadonlySet<SettingName>): Problem[] => {
  const { appId, restApiKey, authKey } = config
  const needsApp = (key: string, value: string | undefined): Problem[] =>
    value === undefined || appId !== undefined || refused.has('appId')
      ? []
      : [{ key, problem: 'needs CONFAB_APP_ID, the app that shall have this key' }]
  const { databaseUrl, masterKey, masterKeyPrevious } = config
  const isTwice = restApiKey !== undefined && restApiKey === authKey
  // One process has the embedded store to itself: what it does not do, nobody does.
  const isHalf = config.databaseUrl === undefined && config.roles?.length === 1 && !refused.has('databaseUrl')
  return [
    ...(isHalf ? [{ key: 'CONFAB_ROLES', problem: 'must hold every role where CONFAB_DATABASE_URL is not set' }] : []),
    ...needsApp('CONFAB_REST_API_KEY', restApiKey),
    ...needsApp('CONFAB_AUTH_KEY', authKey),
    // With the embedded store the key may be in its file.
    ...(databaseUrl !== undefined &&
    masterKeyPrevious !== undefined &&
    masterKey === undefined &&
    !refused.has('masterKey')
      ? [{ key: 'CONFAB_MASTER_KEY_PREVIOUS', problem: 'needs CONFAB_MASTER_KEY, the key in force' }]
      : []),
    ...(masterKey !== undefined && masterKey.id === masterKeyPrevious?.id
      ? [{ key: 'CONFAB_MASTER_KEY_PREVIOUS', problem: 'must differ from CONFAB_MASTER_KEY' }]
      : []),
    ...missingOfS3(config, refused),
    ...halfOfTls(config, refused),
    ...tooSmallBody(config, refused),
    ...(isTwice ? [{ key: 'CONFAB_AUTH_KEY', problem: 'must differ from CONFAB_REST_API_KEY' }] : []),
  ]
}

/** Names every bad key at once. */
export const parseConfig = (input: ConfigInput): ParsedConfig => {
  const values: Partial<Record<SettingName, unknown>> = {}
  const problems = unknownKeys(input)
  const refused = new Set<SettingName>()
  for (const [name, row] of settingRows) {
    const parsed = parseOne(name, row, input)
    if ('problem' in parsed) {
      problems.push(parsed)
      refused.add(name)
    } else values[name] = parsed.value
  }
  // Each value came from its own row, whose type `Config` takes for that name; a loop cannot show that to the compiler.
  const config = values as Config
  problems.push(...crossProblems(config, refused))
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems }
}
