/** How much the server is used. */
import { expectKeys, type Operations } from './support.ts'

export const statsOperations: Operations = {
  'GET /stats': async ({ api }) => {
    const { data } = await api.ok('GET', '/stats', { query: { fromDate: 1, toDate: 9_999_999_999 } })
    expectKeys(data, ['metrics', 'time_range'])
    const minutes = ['audio_minutes', 'video_minutes', 'recorded_minutes']
    expectKeys(data.metrics, [...minutes, 'active_users', 'concurrent_users'])
    expectKeys(data.time_range, ['fromDate', 'toDate'])
  },
  'GET /stats/messages': async ({ api }) => {
    const { data } = await api.ok('GET', '/stats/messages')
    expectKeys(data, ['startTime', 'endTime', 'dataPoints', 'appId'])
    expectKeys(data.dataPoints[0], ['messagesSent', 'readReceipts', 'deliveryReceipts', 'startTime', 'endTime'])
  },
}
