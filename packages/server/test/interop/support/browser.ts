/** Which browser, and how it is started. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const FLAGS = [
  '--no-sandbox',
  '--headless=new',
  '--ignore-certificate-errors',
  '--disable-dev-shm-usage',
  '--disable-gpu',
]

const findBrowser = (): string => {
  const { CONFAB_TEST_CHROMIUM, PATH = '' } = process.env
  if (CONFAB_TEST_CHROMIUM !== undefined) return CONFAB_TEST_CHROMIUM
  const found = PATH.split(delimiter)
    .map((folder) => join(folder, 'chromium'))
    .find((file) => existsSync(file))
  if (found === undefined)
    throw new Error('There is no chromium: apt-get install chromium, or set CONFAB_TEST_CHROMIUM.')
  return found
}

/** `CONFAB_TEST_CHROMIUM_FLAGS` stands in place of our flags. */
export const howToLaunch = (...more: string[]): { executablePath: string; args: string[] } => ({
  executablePath: findBrowser(),
  args: [...(process.env.CONFAB_TEST_CHROMIUM_FLAGS?.split(' ') ?? FLAGS), ...more],
})
