import {
  ImportedLine,
  ImportedMessage,
  ImportedRow,
  ImportGroups,
  type ImportKind,
  ImportMembers,
  ImportMessages,
  ImportStream,
  ImportUsers,
  one,
} from '@confab/protocol'
import { Type } from 'typebox'
import { LineStream, RawJson, type Route, route } from '../http/route.ts'
import type { ImportData } from './import-data.ts'
import type { StreamImport } from './stream-import.ts'

const tag = 'Import'

const importOf = (kind: ImportKind) => ({
  method: 'POST' as const,
  path: `/data_import/${kind}s`,
  tag,
  summary: `Import ${kind}s, with their own times; what is there already stays as it is`,
})

const Results = one(Type.Record(Type.String(), ImportedRow))

export const importRoutes = ({ data, stream }: { data: ImportData; stream: StreamImport }): readonly Route[] => [
  route({
    ...importOf('user'),
    body: ImportUsers,
    answer: Results,
    handle: async ({ app, body }) => new RawJson(await data.call(app, 'user', body.users)),
  }),
  route({
    ...importOf('group'),
    body: ImportGroups,
    answer: Results,
    handle: async ({ app, body }) => new RawJson(await data.call(app, 'group', body.groups)),
  }),
  route({
    ...importOf('member'),
    body: ImportMembers,
    answer: Results,
    handle: async ({ app, body }) => new RawJson(await data.call(app, 'member', body.members)),
  }),
  route({
    ...importOf('message'),
    body: ImportMessages,
    answer: one(Type.Record(Type.String(), ImportedMessage)),
    handle: async ({ app, body }) => new RawJson(await data.call(app, 'message', body.messages)),
  }),
  route({
    method: 'POST',
    path: '/data_import/stream',
    tag,
    summary: 'Import any number of rows, one a line, each with `user`, `group`, `member` or `message`',
    query: ImportStream,
    takesLines: true,
    answer: ImportedLine,
    handle: async ({ app, query, lines, signal }) => new LineStream(stream(app, lines, { ...query, signal })),
  }),
]
