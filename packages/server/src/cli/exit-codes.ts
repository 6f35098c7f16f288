/** What a process says by its exit code. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  /** The configuration or the command line is wrong; every bad key has been named. */
  badConfig: 2,
  /** The store was written by a newer program. */
  schemaTooNew: 3,
  /** Another process holds the data directory. */
  directoryInUse: 4,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]
