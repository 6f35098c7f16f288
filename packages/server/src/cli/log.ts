/** JSON lines on standard output, written in batches: a line per request must not cost a system call each. */
import pino from 'pino'
import type { Config } from '../config/schema.ts'
import type { Logger } from '../kernel/logger.ts'

/** A net below the rule that nobody logs secrets. */
const REDACTED = [
  'apiKey',
  'apikey',
  'authToken',
  'authorization',
  'password',
  'signingSecret',
  'secret',
  'databaseUrl',
  '*.apiKey',
  '*.apikey',
  '*.authToken',
  '*.authorization',
  '*.password',
  '*.signingSecret',
]

export interface ProcessLog extends Logger {
  /** To be called before the process ends. */
  flush(): void
}

export const makeLog = (level: Config['logLevel']): ProcessLog => {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 200 })
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, redact: REDACTED }, destination)
  return {
    debug: (fields, event) => log.debug(fields, event),
    info: (fields, event) => log.info(fields, event),
    warn: (fields, event) => log.warn(fields, event),
    error: (fields, event) => log.error(fields, event),
    flush: () => {
      try {
        destination.flushSync()
      } catch {
        // Not opened yet: there is nothing to write.
      }
    },
  }
}
