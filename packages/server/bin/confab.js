#!/usr/bin/env node
// Plain JavaScript that any Node can read: an old one must be able to say what is missing. What needs a module's
// syntax is in start.js: here, old ones would stumble over it before they could say anything.
const needed = 24
const found = Number(process.versions.node.split('.')[0])

if (found < needed) {
  console.error(`Confab needs Node.js ${needed} or newer; this is ${process.version}.`)
  console.error(
    'In a checkout, start it with npm (npm start): npm brings the right version. Elsewhere: https://nodejs.org',
  )
  process.exitCode = 1
} else {
  void import('./start.js')
}
