/** JSON lines on standard output, written in batches: a line per request must not cost a system call each. */
import pino from 'pino'
import type { Config } from '../config/schema.ts'
import { type Clock, systemClock } from '../kernel/clock.ts'
import { errorFacts } from '../kernel/error-facts.ts'
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

/** Lines of a closed shape, one per message or more: to look for secrets in them costs more than to write them. */
const CLOSED: ReadonlySet<string> = new Set(['http.request', 'delivery.attempted'])

/** As the library writes lines, in one piece: it puts together a text for each field. */
const closedLine = (time: string, fields: object, event: string): string =>
  `{"level":${pino.levels.values.info}${time},${JSON.stringify(fields).slice(1, -1)},"msg":"${event}"}\n`

export interface ProcessLog extends Logger {
  /** To be called before the process ends. */
  flush(): void
}

/** A line waits until so many characters have come, or so many milliseconds have passed. */
const BATCH = 32_768
const BATCH_FOR_MS = 200

/** Lines in batches: the destination measures whatever it is given, and that costs more than the line. */
const inBatches = (destination: { write(text: string): unknown; flushSync(): void }) => {
  let lines = ''
  const pass = (): void => {
    if (lines !== '') destination.write(lines)
    lines = ''
  }
  setInterval(pass, BATCH_FOR_MS).unref()
  return {
    write: (line: string): void => {
      lines += line
      if (lines.length >= BATCH) pass()
    },
    flushSync: (): void => {
      pass()
      destination.flushSync()
    },
  }
}

/** As the library writes it, but once per millisecond: many lines have the same. */
const makeTime = (clock: Clock): (() => string) => {
  let atMs = 0
  let text = ''
  return () => {
    const nowMs = clock.now()
    if (nowMs !== atMs) {
      atMs = nowMs
      text = `,"time":"${new Date(nowMs).toISOString()}"`
    }
    return text
  }
}

export const makeLog = (level: Config['logLevel']): ProcessLog => {
  const destination = inBatches(pino.destination({ dest: 1, sync: false, maxWrite: 2 * BATCH }))
  const time = makeTime(systemClock)
  const options = { level, base: null, timestamp: time, serializers: { err: errorFacts } }
  const log = pino({ ...options, redact: REDACTED }, destination)
  const isInfo = log.isLevelEnabled('info')
  return {
    debug: (fields, event) => log.debug(fields, event),
    info: (fields, event) => {
      if (!CLOSED.has(event)) log.info(fields, event)
      else if (isInfo) destination.write(closedLine(time(), fields, event))
    },
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
