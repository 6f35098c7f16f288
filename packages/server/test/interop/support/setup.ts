/**
 * What the suite needs beside the server, made once per run: the vendor's SDKs, a certificate, a browser. Whatever is
 * missing fails the run: nothing is skipped.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import type { TestProject } from 'vitest/node'
import { setup as provideServices } from '../../../src/testing/services-setup.ts'
import { howToLaunch } from './browser.ts'

export interface Interop {
  /** By version: the file that a page loads. */
  readonly sdks: Readonly<Record<SdkVersion, string>>
  readonly browser: string
  readonly cert: string
  readonly key: string
}

export type SdkVersion = '4.2.0' | '3.0.13'

declare module 'vitest' {
  interface ProvidedContext {
    interop: Interop
  }
}

const run = promisify(execFile)

const packages: Readonly<Record<SdkVersion, string>> = {
  '4.2.0': '@cometchat/chat-sdk-javascript',
  '3.0.13': '@cometchat-pro/chat',
}

/**
 * The SDK is the vendor's, under the vendor's licence: it is fetched for the run and kept in a temporary folder, by version,
 * so that the next run has it.
 */
const install = async (version: SdkVersion): Promise<string> => {
  const name = packages[version]
  const folder = join(tmpdir(), 'confab-test-sdks', `${name.replaceAll(/[@/]/g, '_')}-${version}`)
  const file = join(folder, 'node_modules', name, 'CometChat.js')
  if (existsSync(file)) return file
  // Two runs may want it at the same time: what is there is complete.
  await mkdir(join(folder, '..'), { recursive: true })
  const fresh = mkdtempSync(`${folder}.`)
  const options = ['--ignore-scripts', '--no-save', '--no-package-lock', '--no-audit', '--no-fund']
  await run('npm', ['install', '--prefix', fresh, ...options, `${name}@${version}`], { cwd: fresh })
  try {
    await rename(fresh, folder)
  } catch {
    rmSync(fresh, { recursive: true })
  }
  return file
}

const makeCertificate = async (folder: string): Promise<{ cert: string; key: string }> => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  await run('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, '-days', '2', ...names])
  return { cert, key }
}

export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  process.env.CONFAB_TEST_REQUIRE = 'postgres'
  const folder = mkdtempSync(join(tmpdir(), 'confab-interop-'))
  const [stopServices, current, previous, browser, certificate] = await Promise.all([
    provideServices(project),
    install('4.2.0'),
    install('3.0.13'),
    chromium.launchServer(howToLaunch()),
    makeCertificate(folder),
  ])
  const sdks = { '4.2.0': current, '3.0.13': previous }
  for (const file of Object.values(sdks)) if (readFileSync(file).length === 0) throw new Error(`${file} is empty`)
  project.provide('interop', { sdks, browser: browser.wsEndpoint(), ...certificate })
  return async () => {
    await browser.close()
    await stopServices()
    rmSync(folder, { recursive: true, force: true })
  }
}
