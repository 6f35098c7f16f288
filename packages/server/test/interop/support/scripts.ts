/** What most tests have the SDK do. */
import type { Json } from '../../support/api.ts'
import type { Tab } from './tab.ts'

export type To = { readonly user: string } | { readonly group: string }

const receiverOf = (to: To): { receiver: string; receiverType: string } =>
  'user' in to ? { receiver: to.user, receiverType: 'user' } : { receiver: to.group, receiverType: 'group' }

/** @param setters of the message, by name */
export const sendText = (tab: Tab, to: To, text: string, setters: object = {}): Promise<Json> =>
  tab.run(
    'sendMessage',
    (sdk, { receiver, receiverType, text, setters }) => {
      const message = new sdk.TextMessage(receiver, text, receiverType)
      for (const [setter, value] of Object.entries(setters)) message[setter](value)
      return sdk.sendMessage(message)
    },
    { ...receiverOf(to), text, setters },
  )

export const editText = (tab: Tab, id: string, to: To, text: string, setters: object = {}): Promise<Json> =>
  tab.run(
    'editMessage',
    (sdk, { id, receiver, receiverType, text, setters }) => {
      const message = new sdk.TextMessage(receiver, text, receiverType)
      message.setId(id)
      for (const [setter, value] of Object.entries(setters)) message[setter](value)
      return sdk.editMessage(message)
    },
    { id, ...receiverOf(to), text, setters },
  )

export const sendCustom = (tab: Tab, to: To, type: string, customData: object, setters: object = {}): Promise<Json> =>
  tab.run(
    'sendCustomMessage',
    (sdk, { receiver, receiverType, type, customData, setters }) => {
      const message = new sdk.CustomMessage(receiver, receiverType, type, customData)
      for (const [setter, value] of Object.entries(setters)) message[setter](value)
      return sdk.sendCustomMessage(message)
    },
    { ...receiverOf(to), type, customData, setters },
  )

export interface GivenFile {
  readonly name: string
  readonly type: string
  readonly text: string
}

/** @param files one, or several */
export const sendFiles = (
  tab: Tab,
  to: To,
  type: string,
  files: GivenFile | readonly GivenFile[],
  setters: object = {},
): Promise<Json> =>
  tab.run(
    'sendMediaMessage',
    (sdk, { receiver, receiverType, type, files, setters }) => {
      const made = [files].flat().map((file: Json) => new File([file.text], file.name, { type: file.type }))
      const message = new sdk.MediaMessage(receiver, Array.isArray(files) ? made : made[0], type, receiverType)
      for (const [setter, value] of Object.entries(setters)) message[setter](value)
      return sdk.sendMediaMessage(message)
    },
    { ...receiverOf(to), type, files, setters },
  )

/** The pages that a request of this kind answers, one per step. */
export const pages = (
  tab: Tab,
  kind: string,
  setters: Readonly<Record<string, unknown>>,
  steps: readonly string[] = ['fetchNext'],
): Promise<Json[][]> =>
  tab.run(
    `${kind} ${JSON.stringify(setters)} ${steps}`,
    async (sdk, { kind, setters, steps }) => {
      // The older SDK takes the group here, and here alone.
      const builder = new sdk[`${kind}RequestBuilder`](setters.setGuid)
      for (const [setter, value] of Object.entries(setters))
        if (setter !== 'setGuid' || builder[setter]) builder[setter](value)
      const request = builder.build()
      const answers = []
      for (const step of steps) answers.push(await request[step]())
      return answers
    },
    { kind, setters, steps },
  )

/** The first page. */
export const list = async (
  tab: Tab,
  kind: string,
  setters: Readonly<Record<string, unknown>>,
  step = 'fetchNext',
): Promise<Json[]> => (await pages(tab, kind, setters, [step]))[0] ?? []

/** Messages of a conversation, newest page, as texts. */
export const history = (tab: Tab, setters: Readonly<Record<string, unknown>>): Promise<Json[]> =>
  list(tab, 'Messages', { setLimit: 100, ...setters }, 'fetchPrevious')

export const uidsOf = (users: Json[]): string[] => users.map(({ uid }) => uid)
export const textsOf = (messages: Json[]): string[] => messages.map(({ text }) => text)

export const createGroup = (tab: Tab, guid: string, type = 'public', password?: string): Promise<Json> =>
  tab.run(
    'createGroup',
    (sdk, { guid, type, password }) => sdk.createGroup(new sdk.Group(guid, guid.toUpperCase(), type, password)),
    { guid, type, password },
  )

/** What somebody says or does that is not kept: `startTyping`, `endTyping`. */
export const typing = (tab: Tab, method: 'startTyping' | 'endTyping', to: To, metadata?: object): Promise<Json> =>
  tab.run(
    method,
    (sdk, { method, receiver, receiverType, metadata }) => {
      sdk[method](new sdk.TypingIndicator(receiver, receiverType, metadata))
    },
    { method, ...receiverOf(to), metadata },
  )

/** By id, as an application does that has kept nothing else. */
export const mark = (tab: Tab, method: 'markAsRead' | 'markAsDelivered', message: Json, to: To): Promise<Json> =>
  tab.run(
    method,
    (sdk, { method, id, sender, receiver, receiverType }) => {
      void sdk[method](id, receiver, receiverType, sender)
    },
    { method, id: message.id, sender: message.sender.uid, ...receiverOf(to) },
  )
