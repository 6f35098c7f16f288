/** Files: where to upload one. */
import { expectKeys, type Operations } from './support.ts'

export const fileOperations: Operations = {
  'POST /files/upload-url': async ({ api }) => {
    const body = { files: { one: { name: 'a.png', size: 1 } }, receiver: 'bob', receiverType: 'user' }
    const { data } = await api.ok('POST', '/files/upload-url', { body, onBehalfOf: 'ann' })
    expectKeys(data.one, ['request', 'attachment', 'expiresAt'])
    expectKeys(data.one.request, ['url', 'method', 'body'])
    expectKeys(data.one.attachment, ['url', 'name', 'mimeType', 'extension', 'size'])
  },
}
