import { createServer } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort } from '../../packages/server/src/testing/free-port.ts'
import { findProgram } from '../../packages/server/src/testing/services-child.ts'
import { Children } from './children.ts'
import { startProgram } from './programs.ts'

let children: Children
beforeEach(() => {
  children = new Children()
})
afterEach(() => children.endAll())

const start = (script: string) =>
  startProgram(children, { command: '/bin/sh', args: ['-c', script], ready: /listening on (\d+)/ })

test('a program is started when it says so, wherever it says it', async () => {
  expect((await start('echo listening on 12; exec sleep 60'))[1]).toBe('12')
  expect((await start('echo starting >&2; echo listening on 34 >&2; exec sleep 60'))[1]).toBe('34')
})

test('a program that ends instead is told of, with what it wrote', async () => {
  await expect(start('echo no room; exit 3')).rejects.toThrow(/has ended with 3:\nno room/)
  await expect(startProgram(children, { command: '/does/not/exist', args: [], ready: /x/ })).rejects.toThrow('ENOENT')
})

test('a program is found if it is installed', () => {
  expect(findProgram('sh')).toMatch(/\/sh$/)
  expect(findProgram('no-such-program-anywhere')).toBeUndefined()
  expect(findProgram('sh', ['/does/not/exist'])).toMatch(/\/sh$/)
})

test('a free port can be listened on', async () => {
  const port = await freePort()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  expect(server.listening).toBe(true)
  server.close()
})
