/** What wraps every answer: `{data, meta?}` for success, `{error}` for failure. */
import { type Static, type TSchema, Type } from 'typebox'
import { limits, upTo } from './limits.ts'

export const Pagination = Type.Object({
  total: Type.Integer(),
  count: Type.Integer(),
  per_page: Type.Integer(),
  current_page: Type.Integer(),
  total_pages: Type.Integer(),
})
export type Pagination = Static<typeof Pagination>

export const affixes = ['append', 'prepend'] as const
/** The direction from a cursor: `append` is towards newer, `prepend` towards older. */
export type Affix = (typeof affixes)[number]

export const PageMeta = Type.Object({ pagination: Pagination })

/** Users, groups and members also carry a cursor beside `data` and `meta`. */
export const TimeCursor = Type.Object({ updatedAt: Type.Integer(), affix: Type.String() })

export const MessageListMeta = Type.Object({
  current: Type.Object({ limit: Type.Integer(), count: Type.Integer() }),
  next: Type.Optional(Type.Object({ affix: Type.String(), sentAt: Type.Integer(), id: Type.String() })),
  pagination: Pagination,
  cursor: Type.Object({
    id: Type.Optional(Type.Integer()),
    sentAt: Type.Optional(Type.Integer()),
    affix: Type.String(),
  }),
})

export const Success = Type.Object({ success: Type.Boolean(), message: Type.String() })

export const one = <T extends TSchema>(data: T): Type.TObject<{ data: T }> => Type.Object({ data })
export const page = <T extends TSchema>(item: T): Type.TObject<{ data: Type.TArray<T>; meta: typeof PageMeta }> =>
  Type.Object({ data: Type.Array(item), meta: PageMeta })
export const pageWithCursor = <T extends TSchema>(
  item: T,
): Type.TObject<{ data: Type.TArray<T>; meta: typeof PageMeta; cursor: Type.TOptional<typeof TimeCursor> }> =>
  Type.Object({ data: Type.Array(item), meta: PageMeta, cursor: Type.Optional(TimeCursor) })
export const messageList = <T extends TSchema>(
  item: T,
): Type.TObject<{ data: Type.TArray<T>; meta: typeof MessageListMeta }> =>
  Type.Object({ data: Type.Array(item), meta: MessageListMeta })

export const ErrorAnswer = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'One of the documented codes.' }),
      message: Type.String({ description: 'For people.' }),
      devMessage: Type.String({ description: 'What to do about it, for developers.' }),
      details: Type.Optional(
        Type.Record(Type.String(), Type.String(), { description: 'Field → what is wrong with it.' }),
      ),
      requestId: Type.Optional(Type.String({ description: 'Finds the request in the log.' })),
    }),
  },
  { title: 'Error' },
)
export type ErrorAnswer = Static<typeof ErrorAnswer>

/** Clients write both spellings. */
export const PageQuery = {
  page: Type.Optional(Type.Integer({ minimum: 1, default: 1 })),
  perPage: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax'), default: limits.pageSize })),
  per_page: Type.Optional(Type.Integer({ minimum: 1, ...upTo('maximum', 'pageSizeMax') })),
}
