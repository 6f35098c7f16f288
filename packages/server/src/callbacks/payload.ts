import {
  type AppId,
  CHAT_API_VERSION,
  type TEST_TRIGGER,
  type Uid,
  type WebhookTrigger,
  webhookIdOf,
  webhookTriggers,
} from '@confab/protocol'

/**
 * The body of a callback, as it is stored and sent. Assembled from the stored text of the message: what a bot gets is
 * byte for byte what others read. The order of the keys is part of the contract.
 */
export const callbackBody = (parts: {
  trigger: WebhookTrigger | typeof TEST_TRIGGER
  messageJson: string
  appId: AppId
  /** JSON. */
  origin: string
  region: string
  bot: Uid
}): string =>
  `{"trigger":"${parts.trigger}","data":${parts.messageJson},"appId":${JSON.stringify(parts.appId)},"origin":${parts.origin},` +
  `"chatAPIVersion":"${CHAT_API_VERSION}","region":${JSON.stringify(parts.region)},"bot":${JSON.stringify(parts.bot)}}`

/** The contract subscribes to this one by another name than it prints. */
const PRINTED: Partial<Record<string, string>> = {
  user_connection_status_change: 'after_connection_status_changed',
}

/** The same for a webhook: the newer triggers have fewer keys, the older ones those of bots. */
export const webhookBody = (parts: {
  trigger: WebhookTrigger | typeof TEST_TRIGGER
  dataJson: string
  appId: AppId
  /** JSON. */
  origin: string
  region: string
  /** `webhookKey` of the webhook. */
  key: Uid
}): string => {
  const { trigger, dataJson, appId, origin, region, key } = parts
  const isLegacy = trigger !== 'confab_test' && webhookTriggers[trigger].style !== 'new'
  return (
    `{"trigger":"${PRINTED[trigger] ?? trigger}","data":${dataJson},"appId":${JSON.stringify(appId)},` +
    (isLegacy ? `"origin":${origin},"chatAPIVersion":"${CHAT_API_VERSION}",` : '') +
    `"region":${JSON.stringify(region)},"webhook":${JSON.stringify(webhookIdOf(key) ?? key)}}`
  )
}
