/** That nothing is left out: whatever the SDKs have for applications is called somewhere in this suite. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import type { SdkVersion } from './support/setup.ts'
import { describeInterop } from './support/world.ts'

/** What is there, and no application calls it, or none that asks a server for anything. */
const OF_THE_SDK_ITSELF = [
  ...['setAuthToken', 'getAppId', 'getMode', 'setMode', 'getSessionId', 'initializeStorage', 'onStorageEvent'],
  ...['beforeUnload', 'didAnalyticsPingStart', 'getDataFromSessionStorage', 'addDataToSessionStorage', 'getJWT'],
  ...['removeDataFromSessionStorage', 'initFromSettings', 'isInitialized', 'getInstance', 'pushToLoginListener'],
  ...['hasPreUploadedAttachments', 'generateAuthToken', 'tryReconnectingToWS', 'WSLogin', 'pingAnalytics', 'updateJWT'],
  ...['startAnalyticsPingTimer', 'clearAnalyticsPingTimer', 'startWSReconnectionTimer', 'clearWSReconnectionTimer'],
  ...['performFlagMessage', 'pinSaveWrite', 'pinConversationWrite', 'isPinSaveFeatureEnabled', 'readPinSaveLimit'],
  ...['setSource', 'setDemoMetaInfo', 'sendTestMessage', 'getLastDeliveredMessageId'],
]
/** What goes to another service, or needs what such a service has sent. */
const OF_OTHER_SERVICES = [
  ...['startCall', 'getCallParticipantCount', 'markFeedItemAsDelivered', 'markFeedItemsAsDelivered'],
  ...['markFeedItemAsRead', 'reportFeedEngagement', 'markPushNotificationDelivered', 'markPushNotificationClicked'],
  ...['getTokensForRequest', 'updatePushPreferences', 'updatePreferences', 'muteConversations', 'unmuteConversations'],
]
const WITHOUT_A_LISTENER = /^(add|remove)(NotificationFeed|AIAssistant)Listener$/

const folder = import.meta.dirname
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && name !== 'complete.test.ts',
)
const textOf = (isOlder: boolean): string =>
  files
    .filter((name) => name.startsWith('support') || isOlder === (name === 'older.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')

const suiteOf = (version: SdkVersion): void =>
  describeInterop(
    'its methods',
    (world) => {
      test('are all called', async () => {
        await world().users('ann')
        const tab = await world().visit('ann')
        const names: string[] = await tab.run('names', (sdk) => {
          const notifications = (globalThis as Json).CometChatNotifications ?? {}
          return [sdk, notifications].flatMap((one) =>
            Object.getOwnPropertyNames(one).filter((name) => /^[a-z]/.test(name) && typeof one[name] === 'function'),
          )
        })
        const text = textOf(version === '3.0.13')
        const isCalled = (name: string): boolean =>
          new RegExp(`['.\`]${name}\\b`).test(text) ||
          // By the name of what it is about, put together.
          (/^(add|remove)\w+Listener$/.test(name) && /`(add|remove)\$\{kind\}Listener`/.test(text))
        const left = names.filter(
          (name) =>
            !OF_THE_SDK_ITSELF.includes(name) &&
            !OF_OTHER_SERVICES.includes(name) &&
            !WITHOUT_A_LISTENER.test(name) &&
            !isCalled(name),
        )
        expect(left).toEqual([])
        expect(names.length).toBeGreaterThan(80)
        await tab.close()
      })
    },
    { sdk: version },
  )

suiteOf('4.2.0')
suiteOf('3.0.13')
