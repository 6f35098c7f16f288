/** Arguments → command → exit code. */
import { MasterKeyError } from './bots/open-vault.ts'
import { app } from './cli/app.ts'
import { dev } from './cli/dev.ts'
import { doctor } from './cli/doctor.ts'
import { type ExitCode, exitCodes } from './cli/exit-codes.ts'
import { help } from './cli/help.ts'
import { importFile } from './cli/import.ts'
import { migrate } from './cli/migrate.ts'
import { serve } from './cli/serve.ts'
import { nearest } from './config/nearest.ts'
import { SchemaTooNewError } from './storage/sql/migrate.ts'
import { DirectoryInUseError } from './storage/sqlite/directory-lock.ts'
import { TlsError } from './tls/pair.ts'
import { VERSION } from './version.ts'

type Command = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<ExitCode>

const print =
  (text: () => string): Command =>
  async () => {
    console.log(text())
    return exitCodes.ok
  }

const commands: Readonly<Record<string, Command>> = {
  dev,
  serve,
  migrate,
  import: importFile,
  doctor,
  app,
  help: print(help),
  version: print(() => VERSION),
}

const aliases: Readonly<Record<string, string>> = {
  '--help': 'help',
  '-h': 'help',
  '--version': 'version',
  '-v': 'version',
}

const run = async ([first = 'help', ...rest]: readonly string[]): Promise<ExitCode> => {
  const wantsHelp = rest.some((arg) => arg === '--help' || arg === '-h')
  const name = wantsHelp ? 'help' : (aliases[first] ?? first)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const meant = nearest(first, Object.keys(commands))
    console.error(`confab: there is no command ${first}.${meant ? ` Did you mean ${meant}?` : ''}\n\n${help()}`)
    return exitCodes.badConfig
  }
  return command(rest, process.env)
}

const codeOf = (error: unknown): ExitCode => {
  if (error instanceof SchemaTooNewError) return exitCodes.schemaTooNew
  if (error instanceof MasterKeyError || error instanceof TlsError) return exitCodes.badConfig
  return error instanceof DirectoryInUseError ? exitCodes.directoryInUse : exitCodes.failed
}

/** Of the system, and of PostgreSQL (no such database, no such user or a wrong password). */
const PLAIN_CODES: ReadonlySet<string> = new Set([
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EACCES',
  'ECONNREFUSED',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOTDIR',
  'ENOTFOUND',
  '3D000',
  '28P01',
  '28000',
])

/** Errors that say all there is to say: a stack would only hide it. */
const isPlain = (error: unknown): boolean =>
  error instanceof SchemaTooNewError ||
  error instanceof DirectoryInUseError ||
  error instanceof MasterKeyError ||
  error instanceof TlsError ||
  (error instanceof Error && 'code' in error && PLAIN_CODES.has(String(error.code)))

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(isPlain(error) && error instanceof Error ? `confab: ${error.message}` : error)
  return codeOf(error)
})
// What a failed start has left open must not keep the process alive.
if (process.exitCode !== exitCodes.ok) process.exit()
