/** What a phase is, and what it is given. A phase is one file in `phases/`. */
import type { Children } from './children.ts'
import type { FirstStore } from './seed.ts'
import type { ServerOptions, ServerUnderTest } from './server-under-test.ts'

export interface Figure {
  readonly what: string
  readonly value: number
  readonly unit: string
  /** The bare limit of the same run, in the same unit. */
  readonly limit?: number
  readonly ratio?: number
  /** The lowest and the highest ratio of a round. */
  readonly spread?: readonly [number, number]
}

export interface Requirement {
  readonly text: string
  readonly value: string
  readonly met: boolean
}

export interface Findings {
  readonly figures: readonly Figure[]
  readonly requirements: readonly Requirement[]
  /** What else is to be said, a line each. */
  readonly notes: readonly string[]
}

/** Two stores whose lists are compared. */
export interface ListsScale {
  readonly small: ListsStoreSize
  readonly large: ListsStoreSize
  /** Conversations of a user who has many, in both stores. */
  readonly busy: number
  readonly rounds: number
  /** Rounds in addition, for what has missed. */
  readonly more: number
  /** Of each list, per round and store. */
  readonly requests: number
  /** No round is begun after that, but for the first few. */
  readonly withinMs: number
}

interface ListsStoreSize {
  readonly messages: number
  readonly conversations: number
  readonly members: number
  readonly users: number
}

export interface Scale {
  readonly rounds: number
  readonly warmUpMs: number
  readonly roundMs: number
  /** Per round, and for all connections together. */
  readonly maxMessages: number
  /** Requests under way at most, for ours and for the limits alike. */
  readonly connections: number
  readonly conversations: number
  readonly bots: number
  /** How long messages are counted while a backlog is kept. */
  readonly steadyMs: number
  /** The same for each peer, per round. */
  readonly peerMs: number
  /** Many short rounds: a disk that stalls once decides about one of them. */
  readonly isolation: { readonly rounds: number; readonly roundMs: number }
  /** After which an attempt at a bot that hangs is given up. */
  readonly hangMs: number
  readonly backlog: { readonly pending: number; readonly lanes: number }
  readonly kills: number
  /** Of load before each. */
  readonly killAfterMs: number
  readonly lists: ListsScale
  readonly gateway: {
    readonly sessions: number
    /** Of the group that messages go to. */
    readonly members: number
    readonly seconds: number
    /** Sessions that come back at once. */
    readonly storm: number
  }
}

export interface Bench {
  readonly scale: Scale
  readonly children: Children
  readonly databaseUrl: string | undefined
  startServer(options?: Omit<ServerOptions, 'profileDir'>): Promise<ServerUnderTest>
  /** What stores are seeded from. */
  firstStore(): Promise<FirstStore>
  /** For the messages of a round: differs from that of every other round. */
  freshTag(): string
}

export interface Phase {
  readonly name: string
  readonly title: string
  /** Needs what a quick check has no time for: then it runs only if it is named. */
  readonly isHeavy?: boolean
  run(bench: Bench): Promise<Findings>
}
