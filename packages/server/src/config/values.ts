/** What a setting's text may be, and what it means. A refusal says what is expected and never repeats the text. */
import { type AppId, parseAppId } from '@confab/protocol'
import { isCidr } from '../delivery/guard.ts'
import { type MasterKey, parseMasterKey } from '../kernel/vault.ts'

export interface ValueType<T> {
  /** Completes "must be …". */
  readonly expects: string
  /** What stands for the value in the help text. */
  readonly placeholder: string
  /** `undefined`: the text is none of these. */
  parse(text: string): T | undefined
  print(value: T): string
}

const matching = (pattern: RegExp, placeholder: string, expects: string): ValueType<string> => ({
  expects,
  placeholder,
  parse: (text) => (pattern.test(text) ? text : undefined),
  print: (value) => value,
})

export const hostName = matching(/^[A-Za-z0-9.:_-]{1,253}$/, 'address', 'an IP address or a host name')

export const path = matching(/^[^\0]+$/, 'path', 'a path')

export const region = matching(/^[a-z0-9-]{1,32}$/, 'name', '1 to 32 characters of a–z, 0–9 and -')

export const apiKey = matching(/^[A-Za-z0-9_-]{16,128}$/, 'key', '16 to 128 characters of A–Z, a–z, 0–9, _ and -')

export const appId: ValueType<AppId> = {
  expects: '1 to 63 characters of A–Z, a–z, 0–9, _ and -',
  placeholder: 'id',
  parse: (text) => (/^[A-Za-z0-9_-]{1,63}$/.test(text) ? parseAppId(text) : undefined),
  print: (value) => value,
}

export const integer = (min: number, max: number): ValueType<number> => ({
  expects: `a whole number from ${min} to ${max}`,
  placeholder: 'number',
  parse: (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : undefined
    return value !== undefined && value >= min && value <= max ? value : undefined
  },
  print: String,
})

const units = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const

const isUnit = (text: string): text is keyof typeof units => Object.hasOwn(units, text)

const parseDuration = (text: string): number | undefined => {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? []
  return digits !== undefined && unit !== undefined && isUnit(unit) ? Number(digits) * units[unit] : undefined
}

/** In the largest unit that divides it. */
const printDuration = (ms: number): string => {
  const [unit, size] = Object.entries(units).find(([, length]) => ms !== 0 && ms % length === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}

/** In milliseconds. */
export const duration = (minMs: number, maxMs: number): ValueType<number> => ({
  expects: `a duration from ${printDuration(minMs)} to ${printDuration(maxMs)}, such as 500ms, 30s, 5m or 1h`,
  placeholder: 'duration',
  parse: (text) => {
    const ms = parseDuration(text)
    return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined
  },
  print: printDuration,
})

/** In milliseconds, in their order; the same one may come again. */
export const durations = (minMs: number, maxMs: number): ValueType<readonly number[]> => {
  const one = duration(minMs, maxMs)
  return {
    expects: `a comma-separated list of durations from ${printDuration(minMs)} to ${printDuration(maxMs)}, such as 5s,1m,1h`,
    placeholder: 'durations',
    parse: (text) => {
      const values = text.split(',').map((part) => one.parse(part.trim()))
      return values.every((value) => value !== undefined) ? values : undefined
    },
    print: (values) => values.map(printDuration).join(','),
  }
}

const sizes = { GB: 1024 ** 3, MB: 1024 ** 2, KB: 1024, B: 1 } as const

const printBytes = (bytes: number): string => {
  const [unit, size] = Object.entries(sizes).find(([, length]) => bytes % length === 0) ?? ['B', 1]
  return `${bytes / size}${unit}`
}

/** In bytes; a KB is 1024 of them. */
export const bytes = (min: number, max: number): ValueType<number> => ({
  expects: `a size from ${printBytes(min)} to ${printBytes(max)}, such as 500KB, 100MB or 1GB`,
  placeholder: 'size',
  parse: (text) => {
    const [, digits, unit] = /^(\d{1,9})(B|KB|MB|GB)$/.exec(text) ?? []
    const value = Number(digits) * (Object.entries(sizes).find(([name]) => name === unit)?.[1] ?? Number.NaN)
    return value >= min && value <= max ? value : undefined
  },
  print: printBytes,
})

export const flag: ValueType<boolean> = {
  expects: 'true or false',
  placeholder: 'bool',
  parse: (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
  print: String,
}

export const masterKey: ValueType<MasterKey> = {
  expects: '32 bytes in base64 or hexadecimal, such as `openssl rand -base64 32` prints',
  placeholder: 'key',
  parse: parseMasterKey,
  print: ({ id }) => `(id ${id})`,
}

export const oneOf = <const T extends string>(options: readonly T[]): ValueType<T> => ({
  expects: `one of ${options.join(', ')}`,
  placeholder: 'word',
  parse: (text) => options.find((option) => option === text),
  print: (value) => value,
})

const listOf = <T extends string>(
  one: ValueType<T>,
  expects: string,
  placeholder: string,
): ValueType<readonly T[]> => ({
  expects,
  placeholder,
  parse: (text) => {
    const values = text.split(',').map((part) => one.parse(part.trim()))
    return values.every((value) => value !== undefined) ? [...new Set(values)] : undefined
  },
  print: (values) => values.join(','),
})

export const someOf = <const T extends string>(options: readonly T[]): ValueType<readonly T[]> =>
  listOf(oneOf(options), `a comma-separated list of ${options.join(', ')}`, 'list')

const range: ValueType<string> = {
  expects: 'an address range such as 10.0.0.0/8',
  placeholder: 'range',
  parse: (text) => (isCidr(text) ? text : undefined),
  print: (value) => value,
}

export const ranges = listOf(range, 'a comma-separated list of address ranges such as 10.0.0.0/8,fd00::/8', 'ranges')

const isUrlOf = (schemes: readonly string[], text: string): boolean =>
  URL.canParse(text) && schemes.includes(new URL(text).protocol) && new URL(text).hostname !== ''

export const databaseUrl: ValueType<string> = {
  expects: 'a URL such as postgres://user:password@host:5432/database',
  placeholder: 'url',
  parse: (text) => (isUrlOf(['postgres:', 'postgresql:'], text) ? text : undefined),
  print: (value) => value,
}

/** One server, or several of a cluster. */
export const busUrl: ValueType<string> = {
  expects: 'a URL such as nats://host:4222 or tls://host:4222, or several with commas between',
  placeholder: 'url',
  parse: (text) => (text.split(',').every((part) => isUrlOf(['nats:', 'tls:'], part.trim())) ? text : undefined),
  print: (value) => value,
}

/** Scheme, host and port, and nothing else. */
export const origin: ValueType<string> = {
  expects: 'an http or https URL without a path, such as https://chat.example',
  placeholder: 'url',
  parse: (text) => {
    if (!isUrlOf(['http:', 'https:'], text)) return undefined
    const url = new URL(text)
    const isBare =
      url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
    return isBare ? url.origin : undefined
  },
  print: (value) => value,
}

const pageOrigin: ValueType<string> = {
  expects: 'an origin such as https://app.example, or *',
  placeholder: 'origin',
  // Pages of applications have schemes of their own, such as capacitor://localhost.
  parse: (text) => {
    if (text === '*') return text
    // A pattern would be taken for a host of that name.
    if (text.includes('*')) return undefined
    return (
      origin.parse(text) ?? (/^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(:\d{1,5})?$/.test(text) ? text : undefined)
    )
  },
  print: (value) => value,
}

export const origins = listOf(
  pageOrigin,
  'a comma-separated list of origins such as https://app.example, or *',
  'origins',
)

export const urlPath = matching(/^\/([A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*)?$/, 'path', 'a path such as /ws')

export const bucket = matching(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'name', 'the name of a bucket')

export const s3Key = matching(/^[\x21-\x7e]{1,255}$/, 'key', '1 to 255 visible characters of ASCII')

export const s3Prefix = matching(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*\/?$/, 'prefix', 'text such as confab/')
