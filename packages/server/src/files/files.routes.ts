import { AnnouncedUpload, AnnounceUploads, one } from '@confab/protocol'
import { Type } from 'typebox'
import { type Route, route } from '../http/route.ts'
import type { Uploads } from './announce-uploads.ts'

export const fileRoutes = (uploads: Uploads): readonly Route[] => [
  route({
    method: 'POST',
    path: '/files/upload-url',
    tag: 'Files',
    summary: 'Announce files, and get a form for each to upload it with before the message is sent',
    forUsers: true,
    onBehalfOf: 'optional',
    body: AnnounceUploads,
    answer: one(Type.Record(Type.String(), AnnouncedUpload)),
    handle: async ({ actor, origin, body }) => ({ data: await uploads.announce({ actor, origin, body }) }),
  }),
]
