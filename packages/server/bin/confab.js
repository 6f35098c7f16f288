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
  // Names are looked up, and files written, by threads that Node.js makes when it first needs one. Of the four that it
  // makes of its own accord two look up names: two bots whose name servers do not answer would keep all others waiting.
  process.env.UV_THREADPOOL_SIZE = process.env.UV_THREADPOOL_SIZE || '24'
  void import('./start.js')
}
