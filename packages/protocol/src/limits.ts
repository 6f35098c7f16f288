import type { TSchema } from 'typebox'

/**
 * Sizes and counts that are part of the wire itself: ids and what conversations are named by, what clients rely on, what is
 * one's own in every deployment. Nobody can move them. Lengths are in characters unless the name says otherwise.
 */
export const limits = {
  appNameLength: 100,
  uidLength: 100,
  guidLength: 100,
  botUidLength: 50,
  roleLength: 100,
  roleDescriptionLength: 255,
  callbackUrlLength: 255,
  callbackCredentialLength: 50,
  callbackTimeoutSeconds: 60,
  repliesPerCallback: 10,
  attemptsShown: 100,
  updatesPerCall: 1000,
  updateOffset: 999_999_999_999,
  updatesTimeoutSeconds: 50,
  botConcurrency: 1000,
  botCidrs: 20,
  retryDelays: 20,
  retryDelaySeconds: 86_400,
  retryForSeconds: 30 * 86_400,
  /** The longest overlap of two signing secrets, and the one of who does not say. */
  secretOverlapSeconds: 604_800,
  secretOverlapSecondsDefault: 86_400,
  groupPasswordLength: 100,
  muidLength: 100,
  messageTypeLength: 100,
  interactionsPerCall: 100,
  fileNameLength: 100,
  mimeTypeLength: 127,
  /** How long a form for an announced upload can be used. */
  uploadSeconds: 60 * 60,
  /** How long an uploaded file waits for its message. */
  unusedFileSeconds: 24 * 60 * 60,
  /** Whose online members are asked for in one call. */
  onlineGroups: 100,
  webhookTimeoutSeconds: 2,
  webhookIdLength: 50,
  webhookNameLength: 50,
  webhookPasswordLength: 100,
  featuresPerCall: 100,
  /** Bytes of one line of a stream that imports, which has any number of lines. */
  importLineBytes: 64 * 1024,
  /** What is not read is not counted beyond this. */
  countMax: 1000,
  /** Rows of a page, unless the request says how many. */
  pageSize: 100,
} as const

const KIB = 1024
const DAY = 86_400

/** A limit that the operator may move, from `min` to `max`. Where `min` is 0, 0 stands for any number. */
export interface LimitRow {
  /** What the contract documents. */
  readonly default: number
  readonly min: number
  readonly max: number
  readonly unit: 'number' | 'characters' | 'bytes' | 'seconds'
  readonly doc: string
}

const row =
  (unit: LimitRow['unit']) =>
  (initial: number, [min, max]: readonly [number, number], doc: string): LimitRow => ({
    ...{ default: initial, min, max, unit, doc },
  })
const [count, characters, bytes, seconds] = [row('number'), row('characters'), row('bytes'), row('seconds')]

export const limitRows = {
  usersPerApp: count(0, [0, 1e9], 'How many users an app may have, those who are deactivated included.'),
  groupsPerApp: count(0, [0, 1e9], 'How many groups an app may have.'),
  botsPerApp: count(25, [0, 100_000], 'How many bots an app may have.'),
  webhooksPerApp: count(25, [0, 1000], 'How many webhooks an app may have.'),
  apiKeysPerApp: count(25, [2, 10_000], 'How many API keys an app may have.'),
  rolesPerApp: count(25, [0, 10_000], 'How many roles an app may have, `default` included.'),
  groupSize: count(100_000, [0, 1e9], 'How many members a group may have.'),
  groupsPerUser: count(2000, [0, 1e6], 'How many groups a user may be a member of.'),
  friendsPerUser: count(1000, [0, 1e6], 'How many friends a user may have.'),
  membersPerCall: count(25, [1, 1000], 'How many users one call may add to a group or ban from it.'),
  uidsPerCall: count(100, [1, 10_000], 'How many users one call may block, befriend, deactivate or reactivate.'),
  receiversPerMessage: count(100, [1, 1000], 'How many receivers one call that sends a message may name.'),
  importRows: count(100, [1, 10_000], 'How many rows one call of the import may have. A stream has any number.'),
  pageSizeMax: count(1000, [30, 10_000], 'How many rows a page of a list may have. Client SDKs ask for 30.'),
  nameLength: characters(100, [10, 1000], 'How long the name of a user, a group, a role or a key may be.'),
  urlLength: characters(3000, [255, 16_000], 'How long the URL of an avatar, an icon or a link may be.'),
  statusMessageLength: characters(255, [1, 10_000], 'How long the status message of a user may be.'),
  groupDescriptionLength: characters(255, [1, 10_000], 'How long the description of a group may be.'),
  metadataBytes: bytes(
    5 * KIB,
    [256, 1024 * KIB],
    'How large the metadata of a user, a group or a role may be, as JSON.',
  ),
  tags: count(25, [1, 1000], 'How many tags a user, a group, a message or a conversation may have.'),
  tagLength: characters(100, [1, 1000], 'How long a tag may be.'),
  messageDataBytes: bytes(10 * KIB, [KIB, 1024 * KIB], 'How large `data` of a message may be, as JSON, with its text.'),
  attachmentsPerMessage: count(25, [1, 1000], 'How many attachments a message may have.'),
  mentionsPerMessage: count(10, [1, 1000], 'How many users a message may mention.'),
  reactionsPerMessage: count(25, [1, 1000], 'How many different reactions a message may have.'),
  reactionLength: characters(45, [1, 255], 'How long a reaction may be.'),
  remarkLength: characters(1000, [1, 10_000], 'How long the remark of who reports a message may be.'),
  pinnedPerConversation: count(100, [1, 10_000], 'How many messages of a conversation may be pinned.'),
  savedPerUser: count(100, [1, 100_000], 'How many messages a user may have saved.'),
  pinnedConversations: count(
    5,
    [1, 1000],
    'How many conversations a user may have pinned, and how many the app for everybody.',
  ),
  muidWindowSeconds: seconds(
    DAY,
    [60, 365 * DAY],
    'Within this time the same muid of the same sender means the same message.',
  ),
  bodyBytes: bytes(
    256 * KIB,
    [64 * KIB, 64 * 1024 * KIB],
    'How large a JSON request body may be, and a field of a form.',
  ),
} as const satisfies Record<string, LimitRow>

export type LimitName = keyof typeof limitRows
export type Limits = Readonly<Record<LimitName, number>>

const isName = (name: string): name is LimitName => Object.hasOwn(limitRows, name)
export const limitNames: readonly LimitName[] = Object.keys(limitRows).filter(isName)

export const mapLimits = <T>(of: (name: LimitName, row: LimitRow) => T): Readonly<Record<LimitName, T>> =>
  // Every name is there, once.
  Object.fromEntries(limitNames.map((name) => [name, of(name, limitRows[name])])) as Record<LimitName, T>

export const defaultLimits: Limits = mapLimits((_, limit) => limit.default)

type Bound = 'maxLength' | 'maxItems' | 'maximum'
const bounds: readonly Bound[] = ['maxLength', 'maxItems', 'maximum']
const MARK = 'x-limit'

/** A bound of a schema that is a limit: it holds the default, and `withLimits` moves it. */
export const upTo = <B extends Bound>(bound: B, name: LimitName): { [K in B]: number } & { [MARK]: LimitName } =>
  ({ [bound]: defaultLimits[name], [MARK]: name }) as { [K in B]: number } & { [MARK]: LimitName }

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const moved = (value: unknown, to: Limits): unknown => {
  if (Array.isArray(value)) return value.map((item) => moved(item, to))
  if (!isObject(value)) return value
  const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, moved(inner, to)]))
  const { [MARK]: name, default: initial } = value
  if (typeof name !== 'string' || !isName(name)) return copy
  const most = to[name]
  for (const bound of bounds) if (typeof value[bound] === 'number') copy[bound] = most
  return typeof initial === 'number' ? { ...copy, default: Math.min(initial, most) } : copy
}

/** The schema with the limits that are in force: what is checked, and what `/openapi.json` says. */
export const withLimits = <T extends TSchema>(schema: T, to: Limits): T =>
  limitNames.every((name) => to[name] === defaultLimits[name]) ? schema : (moved(schema, to) as T)
