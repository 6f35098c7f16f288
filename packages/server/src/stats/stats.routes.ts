import { MessageMetrics, one, Usage, UsageOf } from '@confab/protocol'
import { type Route, route } from '../http/route.ts'
import type { MeasureUsage } from './measure-usage.ts'

const tag = 'Metrics'

export const statsRoutes = (measure: MeasureUsage): readonly Route[] => [
  route({
    method: 'GET',
    path: '/stats',
    tag,
    summary: 'How many users were active between two times',
    query: UsageOf,
    answer: one(Usage),
    handle: async ({ app, query, signal }) => ({ data: await measure.usage(app.id, query, signal) }),
  }),
  route({
    method: 'GET',
    path: '/stats/messages',
    tag,
    summary: 'Messages and receipts of the last hour, by five minutes',
    answer: one(MessageMetrics),
    handle: async ({ app, signal }) => ({ data: await measure.messages(app.id, signal) }),
  }),
]
