/**
 * What the log may say of an error. Libraries hang more on theirs than anybody should read: PostgreSQL's `detail` quotes
 * the row that was refused, with every secret that stands in it.
 */
export interface ErrorFacts {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: ErrorFacts
}

/** Nobody needs more causes of causes; one that is its own cause must end too. */
const CAUSES_MAX = 4

export const errorFacts = (error: unknown, causes = CAUSES_MAX): ErrorFacts => {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an error' }
  const { cause, message, stack } = error
  return {
    type: error.constructor.name,
    message,
    ...('code' in error && { code: String(error.code) }),
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && causes > 0 && { cause: errorFacts(cause, causes - 1) }),
  }
}
