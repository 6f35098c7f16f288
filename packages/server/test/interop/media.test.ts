/** Files: sent along with a message, uploaded ahead of it, or lying elsewhere. */
import { beforeAll, expect, test } from 'vitest'
import type { Json } from '../support/api.ts'
import { sendFiles } from './support/scripts.ts'
import type { Tab } from './support/tab.ts'
import { describeInterop } from './support/world.ts'

describeInterop('media', (world) => {
  let ann: Tab
  let bob: Tab

  beforeAll(async () => {
    await world().users('ann', 'bob')
    ann = await world().enter('ann')
    bob = await world().enter('bob')
  })

  const notes = { name: 'notes.txt', type: 'text/plain', text: 'some notes' }
  /** As a page reads it. */
  const read = (tab: Tab, url: string): Promise<string> =>
    tab.run('fetch', async (_, url) => (await fetch(String(url))).text(), url)

  test('a file', async () => {
    const setters = { setCaption: 'my notes', setTags: ['t'], setMetadata: { a: 1 }, setMuid: 'f-1' }
    const sent = await sendFiles(ann, { user: 'bob' }, 'file', notes, setters)
    const expected = {
      ...{ id: sent.id, type: 'file', caption: 'my notes', tags: ['t'], metadata: { a: 1 }, muid: 'f-1' },
      attachments: [{ name: 'notes.txt', mimeType: 'text/plain', extension: 'txt', size: 10 }],
    }
    expect(sent).toMatchObject(expected)
    const heard = await bob.event('onMediaMessageReceived', { id: sent.id })
    expect(heard).toMatchObject(expected)
    expect(heard.url).toBe(heard.attachments[0].url)
    expect(heard.url).toMatch(`https://${world().host}/`)
    expect(await read(bob, heard.url)).toBe('some notes')
  })

  test('several files', async () => {
    const files = [1, 2, 3].map((n) => ({ name: `${n}.txt`, type: 'text/plain', text: `file ${n}` }))
    const sent = await sendFiles(ann, { user: 'bob' }, 'file', files)
    const { attachments } = await bob.event('onMediaMessageReceived', { id: sent.id })
    const texts = await Promise.all(attachments.map(({ url }: { url: string }) => read(bob, url)))
    expect(texts).toEqual(['file 1', 'file 2', 'file 3'])
  })

  test.each(['image', 'video', 'audio', 'file'])('%s that lies elsewhere', async (type) => {
    const url = `https://x.example/one.${type}`
    const sent = await ann.run(
      'sendMediaMessage',
      (sdk, [type, url]: string[]) => {
        const message = new sdk.MediaMessage('bob', '', type, 'user')
        message.setAttachment(new sdk.Attachment({ name: 'one', extension: 'x', mimeType: 'x/y', url }))
        return sdk.sendMediaMessage(message)
      },
      [type, url],
    )
    expect(sent).toMatchObject({ type })
    expect((await bob.event('onMediaMessageReceived', { id: sent.id })).attachments).toMatchObject([
      { url, name: 'one' },
    ])
  })

  test('files that are uploaded ahead of their message', async () => {
    const sent: Json = await ann.run('uploadAttachments', async (sdk) => {
      const request = sdk.createUploadFileRequest('bob', 'user')
      const files = ['a', 'b'].map((name) => ({
        fileId: name,
        file: new File([`ahead ${name}`], `${name}.txt`, { type: 'text/plain' }),
      }))
      await new Promise<void>((resolve, reject) => {
        const listener = {
          onComplete: () => resolve(),
          onFileError: (_: string, e: unknown) => reject(e),
          onFileFailure: (_: string, e: unknown) => reject(e),
        }
        request.uploadAttachments(files, new sdk.UploadFileListener(listener))
      })
      const message = new sdk.MediaMessage('bob', null, 'file', 'user')
      message.setAttachments(request.getAttachments())
      message.setCaption('both')
      const sent = await sdk.sendMediaMessage(message)
      request.clearAll()
      return sent
    })
    const { attachments, caption } = await bob.event('onMediaMessageReceived', { id: sent.id })
    expect(caption).toBe('both')
    const texts = await Promise.all(attachments.map(({ url }: { url: string }) => read(bob, url)))
    expect(texts.sort()).toEqual(['ahead a', 'ahead b'])
  })
})
