/** What suites of the sender share: receivers, senders and listeners that end with their test, and what is sent. */
import { createServer, type Socket } from 'node:net'
import type { AppId, ConversationId, DeliveryId, Uid } from '@confab/protocol'
import { expect, onTestFinished } from 'vitest'
import type { Attempt, Delivery } from '../delivery/attempt.ts'
import { makeAddressGuard } from '../delivery/guard.ts'
import { makeSender, type SendableCallback, type Sender, type SenderOptions } from '../delivery/sender.ts'
import { systemClock } from '../kernel/clock.ts'
import {
  type Behave,
  type CallbackReceiver,
  type CallbackReceiverOptions,
  startCallbackReceiver,
} from './callback-receiver.ts'

const loopback = makeAddressGuard({ allow: ['127.0.0.0/8', '::1/128'] })

export const receiverWith = async (options: CallbackReceiverOptions | Behave = {}): Promise<CallbackReceiver> => {
  const receiver = await startCallbackReceiver(typeof options === 'function' ? { behave: options } : options)
  onTestFinished(() => receiver.close())
  return receiver
}

/** It may call loopback, unless it is given other guards. */
export const senderWith = (options: Partial<SenderOptions> = {}): Sender => {
  const sender = makeSender({
    guards: { of: () => loopback },
    clock: systemClock,
    userAgent: 'Confab/test',
    ...options,
  })
  onTestFinished(() => sender.close({ abort: true }))
  return sender
}

export const callbackTo = (url: string, more: Partial<SendableCallback> = {}): SendableCallback => ({
  appId: 'app' as AppId,
  bot: 'bot' as Uid,
  url,
  enabled: true,
  credentials: undefined,
  groupChatSetting: 'none',
  secrets: [],
  timeoutMs: 5000,
  settings: {},
  isOpen: false,
  isSlowed: false,
  ...more,
})

export const delivery = (more: Partial<Delivery> = {}): Delivery => ({
  id: 'dlv_01' as DeliveryId,
  laneId: 1,
  conversationId: 'a_user_bot' as ConversationId,
  sequence: 3,
  trigger: 'after_message',
  body: '{"trigger":"after_message"}',
  attempts: 0,
  hop: 0,
  createdAtMs: 0,
  ...more,
})

/** One attempt by a sender of its own, at a receiver of its own. */
export const attemptAt = async (behave: Behave, more: Partial<SendableCallback> = {}): Promise<Attempt> =>
  senderWith().send(callbackTo((await receiverWith(behave)).url, more), delivery())

export const timed = async <T>(work: Promise<T>): Promise<[T, number]> => {
  const start = performance.now()
  return [await work, performance.now() - start]
}

export const until = async (condition: () => boolean, timeoutMs = 2000): Promise<void> => {
  const end = performance.now() + timeoutMs
  while (!condition() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

/** A TCP listener that notes what comes, and answers nothing. */
export const listen = async (host = '127.0.0.1') => {
  let bytes = 0
  let connections = 0
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    connections += 1
    open.add(socket)
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('error', () => {})
    socket.once('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of open) socket.destroy()
    await closed
  })
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  return { port, bytes: () => bytes, connections: () => connections, open: () => open.size }
}
