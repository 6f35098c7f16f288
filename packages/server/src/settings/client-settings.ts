import { createHash } from 'node:crypto'
import { type ClientSettings, flagReasons } from '@confab/protocol'

export interface ClientSettingsOf {
  /** Where whoever asks has reached us: scheme, host and port. */
  readonly origin: string
  readonly region: string
  /** `/` is where WebSockets are opened unless told. */
  readonly gatewayPath: string
  readonly extensionDomain: string | undefined
  /** Unix seconds. */
  readonly now: number
}

const VERSION = 'v3'

/** They came with the server: there is no better time to say. */
const SINCE = 1_700_000_000

/** Clients put host and port together without looking: a port must be there, and a path goes behind it. */
const portOf = ({ protocol, port }: URL, gatewayPath: string): string =>
  `${port || (protocol === 'https:' ? '443' : '80')}${gatewayPath === '/' ? '' : gatewayPath}`

/** What moves a conversation to the top of lists here, so that clients move it alike. */
const movesConversation = {
  'core.conversations.updateOnCallActivity': true,
  'core.conversations.updateOnGroupActions': true,
  'core.conversations.updateOnCustomMessages': true,
  'core.conversations.updateOnReplies': false,
}

/** Clients of one version ask for these as parameters, those of another for the tree. */
const switches = {
  'features.ux.messages.pinned.enabled': true,
  'features.ux.messages.saved.enabled': true,
  'features.ux.conversations.pinned.enabled': true,
  'features.ai.accessible': false,
  'features.ai.enabled': false,
}

/** The one document by which clients find everything: after the login they look at nothing else. */
export const clientSettingsOf = (of: ClientSettingsOf): ClientSettings => {
  const url = new URL(of.origin)
  const document = {
    CLIENT_API_HOST: url.host,
    ADMIN_API_HOST: url.host,
    CHAT_API_VERSION: VERSION,
    CHAT_HOST: url.hostname,
    CHAT_WSS_PORT: portOf(url, of.gatewayPath),
    WS_API_VERSION: VERSION,
    REGION: of.region,
    EXTENSION_DOMAIN: of.extensionDomain ?? url.host,
    MODE: 'DEFAULT',
    ANALYTICS_PING_DISABLED: true,
    DENY_FALLBACK_TO_POLLING: true,
    POLLING_ENABLED: false,
    extensions: [],
    flagReasons: flagReasons.map((reason) => ({ ...reason, default: true, createdAt: SINCE, updatedAt: SINCE })),
    parameters: { ...movesConversation, ...switches },
    features: {
      ai: { accessible: false, enabled: false },
      ux: {
        messages: { pinned: { enabled: true }, saved: { enabled: true } },
        conversations: { pinned: { enabled: true } },
      },
    },
  }
  return {
    ...document,
    settingsHash: createHash('sha256').update(JSON.stringify(document)).digest('hex'),
    settingsHashReceivedAt: of.now,
  }
}
