import { ClientSettings, FlagMessage } from '@confab/protocol'
import { Compile } from 'typebox/compile'
import { expect, test } from 'vitest'
import { clientSettingsOf } from './client-settings.ts'

const of = (change: Partial<Parameters<typeof clientSettingsOf>[0]> = {}): ClientSettings =>
  clientSettingsOf({
    ...{ origin: 'https://chat.example', region: 'eu', gatewayPath: '/', extensionDomain: undefined, now: 1 },
    ...change,
  })

test.each([
  ['https://chat.example', '/', 'chat.example', 'chat.example', '443'],
  ['https://chat.example:8443', '/', 'chat.example:8443', 'chat.example', '8443'],
  ['http://localhost:4000', '/', 'localhost:4000', 'localhost', '4000'],
  ['http://chat.example', '/', 'chat.example', 'chat.example', '80'],
  ['https://chat.example', '/ws', 'chat.example', 'chat.example', '443/ws'],
  ['https://chat.example:8443', '/a/b', 'chat.example:8443', 'chat.example', '8443/a/b'],
  ['https://[::1]:8443', '/', '[::1]:8443', '[::1]', '8443'],
])('%s with the gateway at %s', (origin, gatewayPath, apiHost, chatHost, port) => {
  expect(of({ origin, gatewayPath })).toMatchObject({
    CLIENT_API_HOST: apiHost,
    ADMIN_API_HOST: apiHost,
    CHAT_HOST: chatHost,
    CHAT_WSS_PORT: port,
    EXTENSION_DOMAIN: apiHost,
  })
})

test('is what the schema says, with the versions and switches that clients look at', () => {
  const settings = of({ extensionDomain: 'ext.example', now: 7 })
  expect(Compile(ClientSettings).Check(settings)).toBe(true)
  expect(settings).toMatchObject({
    ...{ CHAT_API_VERSION: 'v3', WS_API_VERSION: 'v3', REGION: 'eu', EXTENSION_DOMAIN: 'ext.example', MODE: 'DEFAULT' },
    ...{ ANALYTICS_PING_DISABLED: true, DENY_FALLBACK_TO_POLLING: true, POLLING_ENABLED: false, extensions: [] },
    parameters: {
      'core.conversations.updateOnReplies': false,
      'core.conversations.updateOnGroupActions': true,
      'features.ux.messages.pinned.enabled': true,
    },
    features: { ux: { messages: { saved: { enabled: true } } } },
    settingsHashReceivedAt: 7,
  })
})

test('every reason that it lists is one that a report may have', () => {
  const { flagReasons } = of()
  expect(flagReasons.length).toBeGreaterThan(0)
  for (const { id } of flagReasons) expect(Compile(FlagMessage).Check({ id }), id).toBe(true)
})

test('the hash is that of the content, and of nothing else', () => {
  const { settingsHash } = of()
  expect(settingsHash).toMatch(/^[0-9a-f]{64}$/)
  expect(of({ now: 2 }).settingsHash).toBe(settingsHash)
  const others = [
    { region: 'us' },
    { origin: 'https://other.example' },
    { gatewayPath: '/ws' },
    { extensionDomain: 'x' },
  ]
  const hashes = others.map((change) => of(change).settingsHash)
  expect(new Set([settingsHash, ...hashes]).size).toBe(others.length + 1)
})
