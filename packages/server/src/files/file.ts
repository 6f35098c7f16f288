/** What a file is called, what it is, and where it is found: the rules, without the bytes. */
import { limits } from '@confab/protocol'

/** 160 bits: who knows the address of a file was given it. */
const ID = /^[0-9a-f]{40}$/
const ID_IN_URL = /\/files\/[A-Za-z0-9_-]+\/([0-9a-f]{40})(?:[/?#]|$)/

export const isFileId = (text: string): boolean => ID.test(text)

/** The id of a file of this server, if the url may be of one. */
export const fileIdIn = (url: string): string | undefined => ID_IN_URL.exec(url)?.[1]

const UNKNOWN = 'application/octet-stream'

/** What is shown as what it is. Everything else is handed out as bytes. */
const shown: Readonly<Record<string, readonly string[]>> = {
  'image/png': ['png'],
  'image/jpeg': ['jpg', 'jpeg', 'jfif'],
  'image/gif': ['gif'],
  'image/webp': ['webp'],
  'image/avif': ['avif'],
  'image/bmp': ['bmp'],
  'image/heic': ['heic'],
  'image/heif': ['heif'],
  'audio/mpeg': ['mp3'],
  'audio/mp4': ['m4a'],
  'audio/x-m4a': [],
  'audio/aac': ['aac'],
  'audio/ogg': ['ogg', 'oga', 'opus'],
  'audio/opus': [],
  'audio/wav': ['wav'],
  'audio/x-wav': [],
  'audio/wave': [],
  'audio/flac': ['flac'],
  'audio/webm': ['weba'],
  'audio/3gpp': [],
  'audio/amr': ['amr'],
  'video/mp4': ['mp4', 'm4v'],
  'video/webm': ['webm'],
  'video/ogg': ['ogv'],
  'video/quicktime': ['mov'],
  'video/3gpp': ['3gp'],
  'video/x-matroska': ['mkv'],
  'application/pdf': ['pdf'],
}

/** Nothing that a browser would run; it is saved, not shown. */
const saved: Readonly<Record<string, readonly string[]>> = {
  'text/plain': ['txt', 'log', 'md'],
  'text/csv': ['csv'],
  'text/calendar': ['ics'],
  'application/json': ['json'],
  'application/zip': ['zip'],
  'application/gzip': ['gz', 'tgz'],
  'application/rtf': ['rtf'],
  'application/msword': ['doc'],
  'application/vnd.ms-excel': ['xls'],
  'application/vnd.ms-powerpoint': ['ppt'],
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': ['docx'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': ['xlsx'],
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': ['pptx'],
  'application/vnd.oasis.opendocument.text': ['odt'],
  'application/vnd.oasis.opendocument.spreadsheet': ['ods'],
  'application/vnd.oasis.opendocument.presentation': ['odp'],
}

const typeOfExtension = new Map(
  [...Object.entries(shown), ...Object.entries(saved)].flatMap(([type, extensions]) =>
    extensions.map((extension) => [extension, type] as const),
  ),
)

/** Up to the last character that fits whole. */
const cut = (text: string, length: number): string => {
  const short = text.slice(0, length)
  return /[\uD800-\uDBFF]$/.test(short) ? short.slice(0, -1) : short
}

const isControl = (code: number): boolean => code < 32 || (code > 126 && code < 160)

/** The last part of a path, without what cannot be seen; never empty. What ends it stays where it is shortened. */
export const fileNameOf = (given: string | undefined): string => {
  const last = (given ?? '').toWellFormed().split(/[/\\]/).at(-1) ?? ''
  const seen = [...last].filter((character) => !isControl(character.codePointAt(0) ?? 0)).join('')
  const name = seen.trim()
  if (name === '' || /^\.+$/.test(name)) return 'file'
  if (name.length <= limits.fileNameLength) return name
  const ending = /\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? ''
  return cut(name, limits.fileNameLength - ending.length) + ending
}

/** In lower case, without the dot; empty if there is none. */
export const extensionOf = (name: string): string => /\.([A-Za-z0-9]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? ''

/** What the sender says, without parameters; else what the name says. */
export const mimeTypeOf = (given: string | undefined, name: string): string => {
  const type = (given ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  const isType = type.length <= limits.mimeTypeLength && /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(type)
  return isType && type !== UNKNOWN ? type : (typeOfExtension.get(extensionOf(name)) ?? UNKNOWN)
}

/** The type of the message that a file makes. */
export const messageTypeOf = (mimeType: string): 'image' | 'audio' | 'video' | 'file' => {
  const family = mimeType.split('/')[0]
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'file'
}

/** RFC 8187. */
const extended = (text: string): string =>
  encodeURIComponent(text).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** RFC 6266: a plain name for who reads no other, and the true one. */
const dispositionOf = (kind: 'inline' | 'attachment', name: string): string =>
  `${kind}; filename="${name.replace(/[^\w. -]/g, '_')}"; filename*=UTF-8''${extended(name)}`

/** How a file is announced to a browser, which is never to run what somebody has uploaded. */
export const presentationOf = ({ name, mimeType }: { name: string; mimeType: string }) => {
  const isShown = Object.hasOwn(shown, mimeType)
  return {
    contentType: isShown || Object.hasOwn(saved, mimeType) ? mimeType : UNKNOWN,
    disposition: dispositionOf(isShown ? 'inline' : 'attachment', name),
  }
}

/** The name at the end is for people: it is not looked at. */
export const filePath = ({ appId, id, name }: { appId: string; id: string; name: string }): string => {
  const ending = extensionOf(name)
  const stem = name.slice(0, ending === '' ? undefined : -ending.length - 1)
  const plain = stem.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 40) || '_'
  return `/files/${appId}/${id}/${plain}${ending === '' ? '' : `.${ending}`}`
}
