/**
 * The subject on the wire: one token under `confab.`, whatever ours contains, since dots, spaces, `*` and `>` have
 * a meaning there. Different subjects stay different.
 */
export const wireSubject = (subject: string): string =>
  `confab.${encodeURIComponent(subject.toWellFormed()).replace(/[.!~*'()]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`)}`
