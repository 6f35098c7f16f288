import { auditList, ListAudit } from '@confab/protocol'
import { type Route, route } from '../http/route.ts'
import { uncounted } from '../kernel/paging.ts'
import type { ListAuditEntries } from './audit.ts'

export const auditRoutes = (list: ListAuditEntries): readonly Route[] => [
  route({
    method: 'GET',
    path: '/audit',
    tag: 'Audit',
    summary: 'List what was done with API keys and by the command line, newest first',
    query: ListAudit,
    answer: auditList,
    handle: async ({ app, query }) => {
      const { rows, limit, hasMore } = await list(app.id, query)
      const last = rows.at(-1)
      return {
        data: rows,
        meta: {
          current: { limit, count: rows.length },
          ...(hasMore && last !== undefined && { next: { before: last.id } }),
          pagination: uncounted({ count: rows.length, limit, hasMore }),
        },
      }
    },
  }),
]
