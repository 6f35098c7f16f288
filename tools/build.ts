/**
 * `npm run build`: what is published, as JavaScript with declarations, in `packages/<name>/dist`. Sources run as they
 * are in a checkout; inside `node_modules` Node strips no types.
 *
 * `npm run build -- --verify` also packs the packages, installs them into an empty folder as a user would, and plays
 * the main job on the installed server.
 */
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
/** In the order in which they need each other. */
const published = ['protocol', 'bot-sdk', 'server'] as const
type Name = (typeof published)[number]

const folderOf = (name: Name): string => join(root, 'packages', name)
const tsc = join(root, 'node_modules/typescript/bin/tsc')

const isTest = (path: string): boolean => /\.test\.ts$|[\\/](testing|conformance)([\\/]|$)/.test(path)

/** Types of packages that are built already come from what is published of them. */
const compile = (name: Name): void => {
  const folder = folderOf(name)
  const config = join(folder, 'tsconfig.build.json')
  const before = published.slice(0, published.indexOf(name))
  writeFileSync(
    config,
    JSON.stringify({
      extends: '../../tsconfig.json',
      compilerOptions: {
        noEmit: false,
        outDir: 'dist',
        rootDir: '.',
        // The server is a program: nobody imports it.
        declaration: name !== 'server',
        rewriteRelativeImportExtensions: true,
        paths: Object.fromEntries(before.map((one) => [`@confab/${one}`, [`../${one}/dist/src/index.d.ts`]])),
      },
      include: ['src', 'examples'],
      exclude: ['**/*.test.ts', '**/testing/**', '**/conformance/**', 'dist'],
    }),
  )
  try {
    execFileSync(process.execPath, [tsc, '-p', config], { stdio: 'inherit' })
  } finally {
    rmSync(config)
  }
}

/** Whatever the program reads beside its code: migrations, the launcher. */
const copyAssets = (name: Name): void => {
  const folder = folderOf(name)
  const dist = join(folder, 'dist')
  cpSync(join(folder, 'src'), join(dist, 'src'), {
    recursive: true,
    filter: (path) => !isTest(path) && !/\.ts$/.test(path),
  })
  if (name === 'server') cpSync(join(folder, 'bin'), join(dist, 'bin'), { recursive: true })
  cpSync(join(root, 'LICENSE'), join(dist, 'LICENSE'))
}

const writeManifest = (name: Name): void => {
  const folder = folderOf(name)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
  const { exports: sources, ...rest } = manifest
  const built =
    sources === undefined ? {} : { exports: { '.': { types: './src/index.d.ts', default: './src/index.js' } } }
  writeFileSync(join(folder, 'dist/package.json'), `${JSON.stringify({ ...rest, ...built }, null, 2)}\n`)
}

const build = (): void => {
  for (const name of published) {
    rmSync(join(folderOf(name), 'dist'), { recursive: true, force: true })
    mkdirSync(join(folderOf(name), 'dist'))
    compile(name)
    copyAssets(name)
    writeManifest(name)
    console.log(`built packages/${name}/dist`)
  }
}

const npm = (cwd: string, ...args: string[]): string =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

/** Resolves with the address that the development server prints, and the key. */
const bootInstalled = (folder: string) => {
  const program = join(folder, 'node_modules/@confab/server/bin/confab.js')
  const server = spawn(process.execPath, [program, 'dev', '--port', '0', '--data-dir', join(folder, 'data')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ready = new Promise<{ url: string; apiKey: string }>((found, reject) => {
    let text = ''
    server.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const url = /running at (\S+)/.exec(text)?.[1]
      const apiKey = /REST API key\s+(\S+)/.exec(text)?.[1]
      if (url !== undefined && apiKey !== undefined) found({ url, apiKey })
    })
    server.once('exit', (code) => reject(new Error(`the installed server ended with ${code}`)))
    setTimeout(() => reject(new Error('the installed server did not start in time')), 20_000).unref()
  })
  return { server, ready }
}

const hearEcho = async (url: string, apiKey: string): Promise<void> => {
  const headers = { apikey: apiKey, onbehalfof: 'ann', 'content-type': 'application/json' }
  const body = JSON.stringify({ receiver: 'echo', receiverType: 'user', data: { text: 'built' } })
  await fetch(`${url}/v3/messages`, { method: 'POST', headers, body })
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = (await (await fetch(`${url}/v3/users/echo/messages`, { headers })).json()) as {
      data: { data: { text?: string } }[]
    }
    if (answer.data.some(({ data }) => data.text === 'You said: built')) return
    await new Promise((again) => setTimeout(again, 100))
  }
  throw new Error('the echo bot of the installed server did not answer')
}

const verify = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-build-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    const archives = published.map((name) =>
      join(folder, npm(join(folderOf(name), 'dist'), 'pack', '--silent', '--pack-destination', folder).trim()),
    )
    npm(folder, 'install', '--silent', '--no-audit', '--no-fund', ...archives)
    const { server, ready } = bootInstalled(folder)
    try {
      const { url, apiKey } = await ready
      await hearEcho(url, apiKey)
      console.log('verified: the packed server installs, starts, and its echo bot answers')
    } finally {
      server.removeAllListeners('exit')
      const ended = new Promise((done) => server.once('exit', done))
      server.kill('SIGTERM')
      await ended
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

build()
if (process.argv.includes('--verify')) await verify()
