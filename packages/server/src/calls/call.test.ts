import { type CallStatus, callStatuses, errorCodes } from '@confab/protocol'
import { expect, test } from 'vitest'
import { type CallSituation, isOver, stepOf, triggersOfCall } from './call.ts'

const shown = (situation: CallSituation, wanted: CallStatus): string => {
  const step = stepOf(situation, wanted)
  return typeof step === 'string' ? step.replace('ERR_CALL_', '') : `${step.action}/${step.status}/${step.presence}`
}
const one = (status: CallStatus, isInitiator: boolean): CallSituation => ({
  ...{ status, isInitiator, isGroup: false, presence: isInitiator || status === 'ongoing' ? 'in' : 'never', others: 1 },
})
const group = (
  status: CallStatus,
  presence: CallSituation['presence'],
  { isInitiator = false, others = 1 } = {},
): CallSituation => ({ status, presence, isInitiator, others, isGroup: true })

const wanted: readonly CallStatus[] = ['initiated', 'ongoing', 'rejected', 'busy', 'cancelled', 'unanswered', 'ended']

test.each([
  [
    'who calls, while it rings',
    one('initiated', true),
    ...['INVALID_INIT', 'USER_ALREADY_JOINED', 'INVALID_INIT', 'INVALID_INIT'],
    ...['cancelled/cancelled/out', 'unanswered/unanswered/out', 'NOT_STARTED'],
  ],
  [
    'who is called, while it rings',
    one('initiated', false),
    ...['INVALID_INIT', 'ongoing/ongoing/in', 'rejected/rejected/out', 'busy/busy/out'],
    ...['INVALID_INIT', 'unanswered/unanswered/out', 'NOT_STARTED'],
  ],
  [
    'either, while they talk',
    one('ongoing', true),
    ...['ONGOING_TO_INVALID', 'USER_ALREADY_JOINED', 'ONGOING_TO_INVALID', 'ONGOING_TO_INVALID'],
    ...['ONGOING_TO_INVALID', 'ONGOING_TO_INVALID', 'ended/ended/out'],
  ],
  [
    'who calls a group, before anybody has joined',
    group('initiated', 'in', { isInitiator: true, others: 0 }),
    ...['GROUP_INVALID_STATUS', 'GROUP_ALREADY_JOINED', 'GROUP_INVALID_STATUS', 'GROUP_INVALID_STATUS'],
    ...['cancelled/cancelled/out', 'unanswered/unanswered/out', 'NOT_STARTED'],
  ],
  [
    'a member, before anybody has joined',
    group('initiated', 'never'),
    ...['GROUP_INVALID_STATUS', 'ongoing/ongoing/in', 'rejected/initiated/as before', 'busy/initiated/as before'],
    ...['GROUP_INVALID_STATUS', 'GROUP_INVALID_STATUS', 'NOT_A_PART'],
  ],
  [
    'a member who is in it, with others',
    group('ongoing', 'in'),
    ...['GROUP_INVALID_STATUS', 'GROUP_ALREADY_JOINED', 'GROUP_INVALID_STATUS', 'GROUP_INVALID_STATUS'],
    ...['ONGOING_TO_INVALID', 'ONGOING_TO_INVALID', 'left/ongoing/out'],
  ],
  [
    'the last one in it',
    group('ongoing', 'in', { others: 0 }),
    ...['GROUP_INVALID_STATUS', 'GROUP_ALREADY_JOINED', 'GROUP_INVALID_STATUS', 'GROUP_INVALID_STATUS'],
    ...['ONGOING_TO_INVALID', 'ONGOING_TO_INVALID', 'ended/ended/out'],
  ],
  [
    'a member who has left it',
    group('ongoing', 'left'),
    ...['GROUP_INVALID_STATUS', 'ongoing/ongoing/in', 'rejected/ongoing/as before', 'busy/ongoing/as before'],
    ...['ONGOING_TO_INVALID', 'ONGOING_TO_INVALID', 'GROUP_ALREADY_LEFT'],
  ],
] as const)('%s', (_, situation, ...expected) => {
  expect(wanted.map((status) => shown(situation, status))).toEqual(expected)
})

test('what is over stays so', () => {
  for (const status of callStatuses.filter(isOver)) {
    for (const next of callStatuses) {
      expect([shown(one(status, true), next), shown(group(status, 'left'), next)]).toEqual(['TERMINATED', 'TERMINATED'])
    }
  }
  expect(Object.keys(errorCodes)).toContain('ERR_CALL_TERMINATED')
})

test('webhooks hear that it starts once, and that it ends once', () => {
  const join = { action: 'ongoing', status: 'ongoing', presence: 'in' } as const
  expect(triggersOfCall('initiated', join)).toEqual(['call_started', 'call_participant_joined'])
  expect(triggersOfCall('ongoing', join)).toEqual(['call_participant_joined'])
  expect(triggersOfCall('ongoing', { action: 'left', status: 'ongoing', presence: 'out' })).toEqual([
    'call_participant_left',
  ])
  expect(triggersOfCall('ongoing', { action: 'ended', status: 'ended', presence: 'out' })).toEqual([
    ...['call_participant_left', 'call_ended'],
  ])
})
