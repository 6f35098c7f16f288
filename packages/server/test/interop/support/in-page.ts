/**
 * What runs in the page beside the SDK, as an application would: it initialises the SDK when the page is loaded, listens to
 * everything, and hands on what it hears. Served with its types taken off; imports nothing.
 */

// biome-ignore lint/suspicious/noExplicitAny: the SDK is not ours, and what it says is what is tested
type Any = any

interface Page {
  CometChat: Any
  confab: InPage
  /** Of the test. */
  tell(name: string, args: unknown): void
  location: { search: string }
}

export interface InPage {
  readonly ready: Promise<unknown>
  run(source: string, arg: unknown, withinMs: number): Promise<Outcome>
}

export type Outcome = { readonly value: unknown } | { readonly error: Any } | { readonly hangs: true }

const page = globalThis as unknown as Page

const DEPTH_MAX = 7

/** `getText` is shown as `text`; what says yes or no keeps its name. */
const nameOf = (method: string): string => {
  const name = method.replace(/^get/, '')
  return name === name.toUpperCase() ? name.toLowerCase() : `${name[0]?.toLowerCase()}${name.slice(1)}`
}

const isGetter = (name: string, value: unknown): value is () => unknown =>
  typeof value === 'function' &&
  value.length === 0 &&
  /^(get|is|has|will|should)[A-Z]/.test(name) &&
  !/^getRaw/.test(name)

/** Objects of the SDK are known by what their getters say, and by nothing else. */
const gettersOf = (value: object): string[] => {
  const names = new Set<string>()
  for (let proto = Object.getPrototypeOf(value); proto !== null; proto = Object.getPrototypeOf(proto)) {
    if (proto === Object.prototype) break
    for (const name of Object.getOwnPropertyNames(proto)) if (isGetter(name, (value as Any)[name])) names.add(name)
  }
  return [...names]
}

const shown = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEPTH_MAX) return '…'
  if (Array.isArray(value)) return value.map((one) => shown(one, depth + 1))
  if (value instanceof Error) return { name: value.name, message: value.message }
  const getters = gettersOf(value)
  const entries =
    getters.length === 0
      ? Object.entries(value)
      : getters.map((name): [string, unknown] => {
          try {
            return [nameOf(name), (value as Any)[name]()]
          } catch (error) {
            return [nameOf(name), `threw ${String(error)}`]
          }
        })
  return Object.fromEntries(entries.map(([name, one]) => [name, shown(one, depth + 1)]))
}

const messageEvents = [
  'onTextMessageReceived',
  'onMediaMessageReceived',
  'onCustomMessageReceived',
  'onInteractiveMessageReceived',
  'onCardMessageReceived',
  'onAIAssistantMessageReceived',
  'onAIToolResultReceived',
  'onAIToolArgumentsReceived',
  'onTypingStarted',
  'onTypingEnded',
  'onMessagesDelivered',
  'onMessagesRead',
  'onMessagesDeliveredToAll',
  'onMessagesReadByAll',
  'onMessageEdited',
  'onMessageDeleted',
  'onTransientMessageReceived',
  'onInteractionGoalCompleted',
  'onMessageReactionAdded',
  'onMessageReactionRemoved',
  'onMessageModerated',
  'onMessagePinned',
  'onMessageUnpinned',
  'onMessageSaved',
  'onMessageUnsaved',
]
const events: Readonly<Record<string, readonly string[]>> = {
  Message: messageEvents,
  User: ['onUserOnline', 'onUserOffline'],
  Group: [
    'onGroupMemberJoined',
    'onGroupMemberLeft',
    'onGroupMemberKicked',
    'onGroupMemberBanned',
    'onGroupMemberUnbanned',
    'onGroupMemberScopeChanged',
    'onMemberAddedToGroup',
  ],
  Call: [
    'onIncomingCallReceived',
    'onOutgoingCallAccepted',
    'onOutgoingCallRejected',
    'onIncomingCallCancelled',
    'onCallEndedMessageReceived',
  ],
  Connection: ['onConnected', 'inConnecting', 'onDisconnected', 'onFeatureThrottled'],
  Login: ['loginSuccess', 'loginFailure', 'logoutSuccess', 'logoutFailure'],
  Conversation: ['onConversationPinned', 'onConversationUnpinned'],
}

const listen = (sdk: Any): void => {
  for (const [kind, names] of Object.entries(events)) {
    // The older SDK has fewer kinds.
    if (sdk[`add${kind}Listener`] === undefined) continue
    const callbacks = names.map((name) => [name, (...args: unknown[]) => page.tell(name, shown(args))])
    const Listener = sdk[`${kind}Listener`]
    sdk[`add${kind}Listener`]('test', new Listener(Object.fromEntries(callbacks)))
  }
}

const start = async (): Promise<unknown> => {
  const query = new URLSearchParams(page.location.search)
  const host = query.get('host')
  const builder = new page.CometChat.AppSettingsBuilder()
    .setRegion('eu')
    .overrideAdminHost(host)
    .overrideClientHost(host)
    .autoEstablishSocketConnection(query.get('socket') !== 'no')
  const presence = query.get('presence') ?? 'all'
  if (presence === 'all') builder.subscribePresenceForAllUsers()
  else if (presence === 'friends') builder.subscribePresenceForFriends()
  else if (presence !== 'none') builder.subscribePresenceForRoles(presence.split(','))
  listen(page.CometChat)
  return page.CometChat.init(query.get('app'), builder.build())
}

const run = async (source: string, arg: unknown, withinMs: number): Promise<Outcome> => {
  const work = async (): Promise<Outcome> => {
    try {
      // The source is a function of the test.
      // biome-ignore lint/security/noGlobalEval: it is what a page of its own would have written
      return { value: shown(await globalThis.eval(`(${source})`)(page.CometChat, arg)) }
    } catch (error) {
      return { error: shown(error) }
    }
  }
  const late = new Promise<Outcome>((resolve) => setTimeout(() => resolve({ hangs: true }), withinMs))
  return Promise.race([work(), late])
}

page.confab = { ready: start(), run }
