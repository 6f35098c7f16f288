/** Where the pages come from: the SDK as its vendor ships it, and what runs beside it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { SdkVersion } from './setup.ts'

export interface Site {
  readonly origin: string
  close(): void
}

const inPage = stripTypeScriptTypes(readFileSync(fileURLToPath(new URL('./in-page.ts', import.meta.url)), 'utf8'))

const html = (version: string): string =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/sdk/${version}.js"></script><script type="module" src="/in-page.js"></script>`

export const openSite = async (sdks: Readonly<Record<SdkVersion, string>>): Promise<Site> => {
  const files = new Map<string, { type: string; text: string }>([
    ['/in-page.js', { type: 'text/javascript; charset=utf-8', text: inPage }],
  ])
  for (const [version, file] of Object.entries(sdks)) {
    files.set(`/sdk/${version}.js`, { type: 'text/javascript; charset=utf-8', text: readFileSync(file, 'utf8') })
    files.set(`/${version}`, { type: 'text/html; charset=utf-8', text: html(version) })
  }
  const server = createServer(({ url = '' }, response) => {
    const file = files.get(url.split('?')[0] ?? '')
    if (file === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': file.type }).end(file.text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  }
}
