/** What clients are told when they log in: where everything is, and what there is. */
import { type Static, Type } from 'typebox'
import { UnixSeconds, User } from './entities.ts'

const Switch = Type.Object({ enabled: Type.Boolean() })

export const ClientSettings = Type.Object(
  {
    CLIENT_API_HOST: Type.String({ description: 'Host and port of calls that users make.' }),
    ADMIN_API_HOST: Type.String({ description: 'Host and port of calls that are made with a key.' }),
    CHAT_API_VERSION: Type.String(),
    CHAT_HOST: Type.String({ description: 'The host of the WebSocket, without a port.' }),
    CHAT_WSS_PORT: Type.String({ description: 'Its port, and its path where it has one: `443/ws`.' }),
    WS_API_VERSION: Type.String(),
    REGION: Type.String(),
    EXTENSION_DOMAIN: Type.String(),
    MODE: Type.String({ description: '`DEFAULT`: receipts, typing and transient messages are all taken.' }),
    ANALYTICS_PING_DISABLED: Type.Boolean(),
    DENY_FALLBACK_TO_POLLING: Type.Boolean(),
    POLLING_ENABLED: Type.Boolean(),
    extensions: Type.Array(Type.Object({ id: Type.String(), name: Type.String() })),
    flagReasons: Type.Array(
      Type.Object({
        id: Type.String(),
        name: Type.String(),
        description: Type.String(),
        default: Type.Boolean(),
        createdAt: UnixSeconds,
        updatedAt: UnixSeconds,
      }),
    ),
    parameters: Type.Record(Type.String(), Type.Boolean()),
    features: Type.Object({
      ai: Type.Object({ accessible: Type.Boolean(), enabled: Type.Boolean() }),
      ux: Type.Object({
        messages: Type.Object({ pinned: Switch, saved: Switch }),
        conversations: Type.Object({ pinned: Switch }),
      }),
    }),
    settingsHash: Type.String({ description: 'Of all that stands above: the same as long as it is the same.' }),
    settingsHashReceivedAt: UnixSeconds,
  },
  { title: 'Settings' },
)
export type ClientSettings = Static<typeof ClientSettings>

export const Me = Type.Object(
  {
    ...User.properties,
    authToken: Type.Optional(Type.String({ description: 'The one that the request has come with.' })),
    jwt: Type.Optional(Type.String({ description: 'Opens the WebSocket for as long as the auth token is there.' })),
    settings: ClientSettings,
  },
  { title: 'Me' },
)
export type Me = Static<typeof Me>
