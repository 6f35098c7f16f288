import type { AppId, Uid } from '@confab/protocol'
import { expect, test } from 'vitest'
import { callbackBody } from './payload.ts'

const parts = {
  trigger: 'after_message',
  messageJson: '{"z":1,  "a":"é\\u2028"}',
  appId: 'app"1' as AppId,
  origin: '{"platform":"API","language":"","resource":"x"}',
  region: 'eu"\\',
  bot: 'bot' as Uid,
} as const

test('the keys are in the order of the contract', () => {
  const body = JSON.parse(callbackBody(parts))
  expect(Object.keys(body)).toEqual(['trigger', 'data', 'appId', 'origin', 'chatAPIVersion', 'region', 'bot'])
  expect(body).toMatchObject({ appId: 'app"1', chatAPIVersion: '3.0', region: 'eu"\\', bot: 'bot' })
})

test('message and origin are embedded byte for byte', () => {
  expect(callbackBody(parts)).toBe(
    '{"trigger":"after_message","data":{"z":1,  "a":"é\\u2028"},"appId":"app\\"1",' +
      '"origin":{"platform":"API","language":"","resource":"x"},"chatAPIVersion":"3.0","region":"eu\\"\\\\","bot":"bot"}',
  )
})
