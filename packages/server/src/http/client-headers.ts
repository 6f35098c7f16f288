/** What a client says of itself: the headers of the client SDKs, with defaults for back ends that send none. */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { CHAT_API_VERSION, callbackHeaders } from '@confab/protocol'
import type { Client } from '../kernel/client.ts'
import type { Clock } from '../kernel/clock.ts'

const LENGTH_MAX = 255

const textOf = (header: string | string[] | undefined): string | undefined => {
  const text = (Array.isArray(header) ? header[0] : header)?.trim()
  return text ? text.slice(0, LENGTH_MAX) : undefined
}

/** Who does not name their device is one, for as long as this process runs. */
const UNNAMED = `API-${CHAT_API_VERSION.replace('.', '_')}-${randomUUID()}`

/** Device ids begin with their platform: `WEB-4_2_0-<uuid>-<ms>`. */
const platformOf = (resource: string | undefined): string | undefined =>
  /^([A-Za-z]+)-/.exec(resource ?? '')?.[1]?.toLowerCase()

/** `javascript@4.2.0` → `javascript`. */
const languageOf = (sdk: string | undefined): string | undefined => sdk?.split('@')[0]

/** Of its third version: it makes `null` of what it does not know, in the middle of a list. */
const OLD_SDK = /^javascript@3(\.|$)/
const UNKNOWN_TO_OLD = ['interactive', 'card', 'agentic'] as const

const hopOf = (header: string | string[] | undefined): number => {
  const text = textOf(header) ?? ''
  return /^\d{1,4}$/.test(text) ? Number(text) : 0
}

/**
 * @param headers `resource` (the device), `sdk` (`<language>@<version>`), and, for clients that want to say it
 *   themselves, `platform` and `language`
 */
export const clientOf = (headers: IncomingHttpHeaders, clock: Clock): Client => {
  const resource = textOf(headers.resource)
  return {
    resource: resource ?? `${UNNAMED}-${clock.now()}`,
    origin: {
      platform: textOf(headers.platform) ?? platformOf(resource) ?? 'API',
      language: textOf(headers.language) ?? languageOf(textOf(headers.sdk)) ?? 'http',
      resource: resource ?? 'rest-api',
    },
    ...(OLD_SDK.test(textOf(headers.sdk) ?? '') && { unknownCategories: UNKNOWN_TO_OLD }),
    hop: hopOf(headers[callbackHeaders.hop]),
  }
}
