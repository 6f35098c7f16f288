/** The limits of the protocol as settings: `CONFAB_LIMIT_…`, one for each. */
import { type LimitName, type LimitRow, type Limits, limitRows, mapLimits } from '@confab/protocol'
import type { Setting } from './schema.ts'
import * as value from './values.ts'

type LimitSetting<N extends LimitName = LimitName> = `limit${Capitalize<N>}`

const settingOf = <N extends LimitName>(name: N): LimitSetting<N> =>
  `limit${name.charAt(0).toUpperCase()}${name.slice(1)}` as LimitSetting<N>

/** `metadataBytes` is `CONFAB_LIMIT_METADATA`: the value says its unit. */
const envOf = (name: LimitName): `CONFAB_LIMIT_${string}` =>
  `CONFAB_LIMIT_${name
    .replace(/(Bytes|Seconds)$/, '')
    .replace(/[A-Z]/g, (letter) => `_${letter}`)
    .toUpperCase()}`

const SECOND = 1000

const typeOf = ({ unit, min, max }: LimitRow): value.ValueType<number> => {
  if (unit === 'bytes') return value.bytes(min, max)
  return unit === 'seconds' ? value.duration(min * SECOND, max * SECOND) : value.integer(min, max)
}

const rowOf = (name: LimitName, row: LimitRow): Setting<number> => ({
  env: envOf(name),
  type: typeOf(row),
  default: row.unit === 'seconds' ? row.default * SECOND : row.default,
  doc: row.min === 0 ? `${row.doc} \`0\`: any number.` : row.doc,
})

type LimitSettings = { readonly [N in LimitName as LimitSetting<N>]: Setting<number> }

export const limitSettings = Object.fromEntries(
  Object.entries(mapLimits(rowOf)).map(([name, row]) => [settingOf(name as LimitName), row]),
) as LimitSettings

/** The limits in force. */
export const limitsOf = (config: { readonly [N in LimitSetting]: number }): Limits =>
  mapLimits((name) => {
    const given = config[settingOf(name)]
    return limitRows[name].unit === 'seconds' ? given / SECOND : given
  })
