/** A stream of rows, answered while it comes: one line for each, and a last one that says how it ended. */
import type { ErrorCode, ImportedLine, ImportStream } from '@confab/protocol'
import { AppError } from '../kernel/app-error.ts'
import type { Logger } from '../kernel/logger.ts'
import type { App } from '../storage/sql/apps/apps.ts'
import { failureOf, type ImportData, newTally, type Tally } from './import-data.ts'

export type StreamImport = (
  app: App,
  source: AsyncIterable<Uint8Array>,
  options: ImportStream & { signal: AbortSignal },
) => AsyncGenerator<string>

const textOf = (line: unknown): string => `${JSON.stringify(line)}\n`

/** Nothing after `line` has been looked at. */
const endOf = ({ line, imported, existed, failed }: Tally, code?: ErrorCode): string =>
  textOf({
    ...{ done: code === undefined, line, imported, existed, failed },
    ...(code !== undefined && { error: failureOf(code, null) }),
  })

const linesText = (lines: readonly ImportedLine[], onlyFailures: boolean): string =>
  lines
    .filter(({ success }) => !onlyFailures || !success)
    .map(textOf)
    .join('')

export const makeStreamImport = ({ data, log }: { data: ImportData; log: Logger }): StreamImport =>
  async function* stream(app, source, { onlyFailures = false, fromLine: from = 1, signal }) {
    const tally = newTally()
    try {
      for await (const lines of data.stream(app, source, { tally, from })) {
        const text = linesText(lines, onlyFailures)
        if (text !== '') yield text
        if (signal.aborted) {
          yield endOf(tally, 'ERR_SERVICE_UNAVAILABLE')
          return
        }
      }
      yield endOf(tally)
    } catch (error) {
      // Whoever has left reads no more, and the answer has begun: nobody further out could say what happened.
      if (signal.aborted) return
      const code = error instanceof AppError ? error.code : 'ERR_EXCEPTION'
      log.error({ err: error, appId: app.id, line: tally.line }, 'import.failed')
      yield endOf(tally, code)
    }
  }
