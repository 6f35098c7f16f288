/**
 * What may become of a call, and who may do it. Pure: the store asks inside the transaction that does it.
 *
 * One to one there are who calls and who is called, and what one of them does counts for both. In a group each member
 * takes the call, turns it down or leaves it for themself: it is ongoing from the first who joins who called, until the
 * last has left.
 */
import type { CallStatus, ErrorCode, WebhookTrigger } from '@confab/protocol'

/** What a message of category `call` tells. `left`: one has gone, and the call goes on. */
export type CallAction = CallStatus | 'left'

export interface CallStep {
  readonly action: CallAction
  /** Of the call, after it. */
  readonly status: CallStatus
  /** Whether who acts is in the call after it. */
  readonly presence: 'in' | 'out' | 'as before'
}

export interface CallSituation {
  readonly status: CallStatus
  readonly isGroup: boolean
  readonly isInitiator: boolean
  /** Whether who acts is in the call, was, or has never been. */
  readonly presence: 'in' | 'left' | 'never'
  /** How many others are in it. */
  readonly others: number
}

export const isOver = (status: CallStatus): boolean => status !== 'initiated' && status !== 'ongoing'

const over = (status: CallStatus): CallStep => ({ action: status, status, presence: 'out' })
const joined: CallStep = { action: 'ongoing', status: 'ongoing', presence: 'in' }

const oneToOne = ({ status, isInitiator }: CallSituation, wanted: CallStatus): CallStep | ErrorCode => {
  if (status === 'ongoing') {
    if (wanted === 'ended') return over('ended')
    return wanted === 'ongoing' ? 'ERR_CALL_USER_ALREADY_JOINED' : 'ERR_CALL_ONGOING_TO_INVALID'
  }
  if (wanted === 'ended') return 'ERR_CALL_NOT_STARTED'
  if (wanted === 'ongoing') return isInitiator ? 'ERR_CALL_USER_ALREADY_JOINED' : joined
  // The client that has waited long enough says so, on either side.
  if (wanted === 'unanswered') return over('unanswered')
  const isTheirs = wanted === 'cancelled' ? isInitiator : !isInitiator
  return isTheirs && wanted !== 'initiated' ? over(wanted) : 'ERR_CALL_INVALID_INIT'
}

const inGroup = (situation: CallSituation, wanted: CallStatus): CallStep | ErrorCode => {
  const { status, isInitiator, presence, others } = situation
  switch (wanted) {
    case 'ongoing':
      return presence === 'in' ? 'ERR_CALL_GROUP_ALREADY_JOINED' : joined
    case 'ended':
      if (presence === 'left') return 'ERR_CALL_GROUP_ALREADY_LEFT'
      if (presence === 'never') return 'ERR_CALL_NOT_A_PART'
      if (status === 'initiated') return 'ERR_CALL_NOT_STARTED'
      return others === 0 ? over('ended') : { action: 'left', status, presence: 'out' }
    case 'rejected':
    case 'busy':
      // For themself: the others are still called.
      return presence === 'in' ? 'ERR_CALL_GROUP_INVALID_STATUS' : { action: wanted, status, presence: 'as before' }
    case 'cancelled':
    case 'unanswered':
      if (status === 'ongoing') return 'ERR_CALL_ONGOING_TO_INVALID'
      return isInitiator ? over(wanted) : 'ERR_CALL_GROUP_INVALID_STATUS'
    case 'initiated':
      return 'ERR_CALL_GROUP_INVALID_STATUS'
    default:
      return wanted satisfies never
  }
}

/** What comes of it, or the code that forbids it. */
export const stepOf = (situation: CallSituation, wanted: CallStatus): CallStep | ErrorCode => {
  if (isOver(situation.status)) return 'ERR_CALL_TERMINATED'
  return situation.isGroup ? inGroup(situation, wanted) : oneToOne(situation, wanted)
}

/** What webhooks hear of it. */
export const triggersOfCall = (before: CallStatus | undefined, { action }: CallStep): readonly WebhookTrigger[] => {
  switch (action) {
    case 'initiated':
      return ['call_initiated']
    case 'ongoing':
      return before === 'initiated' ? ['call_started', 'call_participant_joined'] : ['call_participant_joined']
    case 'left':
      return ['call_participant_left']
    case 'ended':
      return ['call_participant_left', 'call_ended']
    default:
      return [`call_${action}`]
  }
}

/**
 * A client that dies says nothing. So that nobody is busy for ever, a call that was not taken within this time keeps nobody
 * from another, and neither does one that was taken so long ago.
 */
export const BUSY_RINGING_SECONDS = 120
export const BUSY_ONGOING_SECONDS = 6 * 3600
