/** What administrators did, as those see it who look after an app. */
import { type Static, Type } from 'typebox'
import { UnixSeconds } from './entities.ts'
import { Pagination } from './envelopes.ts'
import { limits, upTo } from './limits.ts'

export const AuditActor = Type.Object({
  kind: Type.Enum(['key', 'cli'], {
    description: '`key`: a request with an API key; `cli`: somebody at the machine of the server.',
  }),
  name: Type.Optional(Type.String({ description: 'Of the key.' })),
  keyEnd: Type.Optional(Type.String({ description: 'The last four characters of the key.' })),
  onBehalfOf: Type.Optional(Type.String({ description: 'The user in whose name the request was made.' })),
})
export type AuditActor = Static<typeof AuditActor>

export const AuditEntry = Type.Object(
  {
    id: Type.String(),
    at: UnixSeconds,
    actor: AuditActor,
    action: Type.String({ description: 'Method and path of the operation, or the command.' }),
    target: Type.Optional(
      Type.String({
        description: 'The ids in the path, with `/` between; of keys and tokens the last four characters.',
      }),
    ),
    requestId: Type.Optional(Type.String({ description: 'As in the log.' })),
  },
  { title: 'AuditEntry' },
)
export type AuditEntry = Static<typeof AuditEntry>

const Time = Type.Optional(Type.Integer({ minimum: 0, description: 'Unix seconds.' }))

export const ListAudit = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax'), default: limits.pageSize })),
  before: Type.Optional(
    Type.String({ maxLength: 15, pattern: '^[1-9]\\d*$', description: 'Cursor: `meta.next.before` of the last page.' }),
  ),
  action: Type.Optional(Type.String({ maxLength: 255, description: 'As in `PUT /users/:uid`.' })),
  target: Type.Optional(Type.String({ maxLength: 255, description: 'The whole of it, or its first ids.' })),
  since: Time,
  until: Time,
})
export type ListAudit = Static<typeof ListAudit>

export const AuditListMeta = Type.Object({
  current: Type.Object({ limit: Type.Integer(), count: Type.Integer() }),
  next: Type.Optional(Type.Object({ before: Type.String() })),
  pagination: Pagination,
})
export const auditList: Type.TObject<{ data: Type.TArray<typeof AuditEntry>; meta: typeof AuditListMeta }> =
  Type.Object({ data: Type.Array(AuditEntry), meta: AuditListMeta })
