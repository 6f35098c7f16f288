import { type AppId, CHAT_API_VERSION, type TEST_TRIGGER, type Trigger, type Uid } from '@confab/protocol'

/**
 * The body of a callback, as it is stored and sent. Assembled from the stored text of the message: what a bot gets is
 * byte for byte what others read. The order of the keys is part of the contract.
 */
export const callbackBody = (parts: {
  trigger: Trigger | typeof TEST_TRIGGER
  messageJson: string
  appId: AppId
  /** JSON. */
  origin: string
  region: string
  bot: Uid
}): string =>
  `{"trigger":"${parts.trigger}","data":${parts.messageJson},"appId":${JSON.stringify(parts.appId)},"origin":${parts.origin},` +
  `"chatAPIVersion":"${CHAT_API_VERSION}","region":${JSON.stringify(parts.region)},"bot":${JSON.stringify(parts.bot)}}`
