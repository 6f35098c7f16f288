#!/usr/bin/env node
// Plain JavaScript that any Node can read: an old one must be able to say what is missing.
const needed = 24
const found = Number(process.versions.node.split('.')[0])

if (found < needed) {
  console.error(`Confab needs Node.js ${needed} or newer; this is ${process.version}.`)
  console.error(
    'In a checkout, start it with npm (npm start): npm brings the right version. Elsewhere: https://nodejs.org',
  )
  process.exitCode = 1
} else {
  const { existsSync } = await import('node:fs')
  // A checkout runs the sources as they are; a published package has JavaScript in their place.
  const source = new URL('../src/main.ts', import.meta.url)
  await import(existsSync(source) ? source.href : new URL('../src/main.js', import.meta.url).href)
}
