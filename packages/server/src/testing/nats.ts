import { findProgram, type Missing, startServer, type ThrowAwayServer } from './services-child.ts'

export const startNats = async (): Promise<ThrowAwayServer | Missing> => {
  const command = findProgram('nats-server', ['/usr/sbin', '/usr/local/sbin'])
  if (command === undefined) return { missing: 'nats-server is not installed (Debian and Ubuntu: nats-server)' }
  return startServer(
    (port) => `nats://127.0.0.1:${port}`,
    (port) => ({
      command,
      args: ['-a', '127.0.0.1', '-p', String(port)],
      signal: 'KILL',
      ready: /Server is ready/,
      failed: /\[FTL\]|Error listening/,
    }),
  )
}
