import { renderHelp } from '../config/render.ts'
import { VERSION } from '../version.ts'

export const help = (): string => `Confab ${VERSION}: a self-hosted chat server in which bots are users.

Usage: confab <command> [--setting value …]

Commands:
  dev       a server to try things with: embedded store, seeded people, an echo bot;
            with --tls over https, with a certificate of its own
  serve     the server
  migrate   bring the schema of the store up to date, and end
  import    rows of a file, one a line, into the store: import <file> [--from-line N]
  doctor    look at everything that a server needs, and say what is missing
  app       create, list and delete apps, and change their keys: confab app says how
  help      this text
  version   the version

${renderHelp()}`
