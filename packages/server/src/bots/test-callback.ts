/**
 * Calls the callback of a bot to see whether it would work: once as every callback is signed, and once with a signature
 * that is wrong, which a bot must refuse. Nothing is stored, and no conversation hears of it.
 */
import {
  type AppId,
  type CallbackTest,
  type ConversationId,
  TEST_TRIGGER,
  type Uid,
  webhookIdOf,
} from '@confab/protocol'
import { callbackBody, webhookBody } from '../callbacks/payload.ts'
import { type Attempt, calledOf, type Delivery, outcomeText } from '../delivery/attempt.ts'
import type { SendableCallback, Sender } from '../delivery/sender.ts'
import type { Clock } from '../kernel/clock.ts'
import { definedOf } from '../kernel/defined.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { Store } from '../storage/store.ts'

export type TestCallback = (appId: AppId, bot: Uid) => Promise<CallbackTest>

export interface TestCallbackDeps {
  readonly store: Pick<Store, 'bots'>
  readonly sender: Sender
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly region: string
  /** Where the bot does not say otherwise. */
  readonly timeoutMs: number
}

const TEST_JSON = '{"text":"This is a test: nobody wrote it, and no answer is expected but 2xx."}'

type Call = CallbackTest['call']

const callOf = ({ outcome, status, error, address, phases, response }: Attempt): Call => ({
  outcome: outcomeText(outcome),
  phases,
  ...definedOf({ status, error, address, response }),
})

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`

/** Completely: of an answer that broke off, or was late, there may be a status too. */
const isAnswered = ({ outcome }: Attempt): boolean =>
  outcome.kind === 'delivered' ||
  outcome.kind === 'gone' ||
  (outcome.kind === 'retry' && (outcome.reason === 'http' || outcome.reason === 'redirect'))

/** Who is too slow, too busy or broken has not looked at the signature. */
const SAYS_NOTHING: ReadonlySet<number> = new Set([408, 429])

/** Nothing, if it cannot be told. */
const acceptsWrong = (wrong: Attempt): boolean | undefined => {
  const { outcome, status = 0 } = wrong
  if (outcome.kind === 'delivered') return true
  const isRefusal = isAnswered(wrong) && status >= 400 && status < 500 && !SAYS_NOTHING.has(status)
  return isRefusal ? false : undefined
}

const wordsOf = (took: string, wrong: Attempt, accepts: boolean | undefined): string => {
  if (accepts === undefined) {
    const why = wrong.error ?? 'no answer'
    return `It took the callback in ${took}. Whether it refuses a wrong signature could not be told: ${why}.`
  }
  return accepts
    ? `It took the callback in ${took}, but took one with a wrong signature too: anybody who knows its URL can speak to it.`
    : `It took the callback in ${took} and refused one with a wrong signature.`
}

const verdictOf = (
  right: Attempt,
  wrong: Attempt | undefined,
): Omit<CallbackTest, 'ms' | 'call' | 'wrongSignatureCall'> => {
  const took = seconds(right.phases.total)
  const answered = isAnswered(right)
  const reached = answered || right.phases.connect !== undefined || right.phases.firstByte !== undefined
  if (wrong === undefined) {
    const what = reached ? 'It was reached, but did not take the callback' : 'It was not reached'
    return { ok: false, reached, answered, verdict: `${what} (${took}): ${right.error ?? 'no answer'}.` }
  }
  const acceptsWrongSignature = acceptsWrong(wrong)
  const verdict = wordsOf(took, wrong, acceptsWrongSignature)
  return { ok: true, reached, answered, ...definedOf({ acceptsWrongSignature }), verdict }
}

export const makeTestCallback = ({
  store,
  sender,
  clock,
  ids,
  log,
  region,
  timeoutMs,
}: TestCallbackDeps): TestCallback => {
  const said = (appId: AppId) => ({
    trigger: TEST_TRIGGER as typeof TEST_TRIGGER,
    appId,
    origin: '{"platform":"API","language":"http","resource":"rest-api"}',
    region,
  })
  const deliveryOf = (appId: AppId, bot: Uid): Delivery => ({
    id: ids.delivery(),
    laneId: 0,
    conversationId: '' as ConversationId,
    sequence: 1,
    trigger: TEST_TRIGGER,
    body:
      webhookIdOf(bot) === undefined
        ? callbackBody({ ...said(appId), messageJson: TEST_JSON, bot })
        : webhookBody({ ...said(appId), dataJson: TEST_JSON, key: bot }),
    attempts: 0,
    hop: 0,
    createdAtMs: clock.now(),
  })

  return async (appId, bot) => {
    const stored = await store.bots.callback({ appId, uid: bot })
    const { timeoutSeconds } = stored.settings
    const callback: SendableCallback = {
      ...stored,
      timeoutMs: timeoutSeconds === undefined ? timeoutMs : timeoutSeconds * 1000,
    }
    const right = await sender.send(callback, deliveryOf(appId, bot))
    const wrong =
      right.outcome.kind === 'delivered'
        ? await sender.send({ ...callback, signAs: [ids.signingSecret()] }, deliveryOf(appId, bot))
        : undefined
    const { address, phases, error } = right
    const line = { appId, ...calledOf(bot), outcome: outcomeText(right.outcome), address, ms: phases.total, error }
    if (right.outcome.kind === 'refused') log.warn(line, 'bot.tested')
    else log.info(line, 'bot.tested')
    return {
      ...verdictOf(right, wrong),
      ms: right.phases.total,
      call: callOf(right),
      ...(wrong && { wrongSignatureCall: callOf(wrong) }),
    }
  }
}
