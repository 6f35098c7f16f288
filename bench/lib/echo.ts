import type { Children } from './children.ts'
import type { EchoVerbs } from './echo.process.ts'

/** Starts the bare limit of accepting. @returns its port */
export const startEcho = async (
  children: Children,
  sizes: { answerBytes: number; bodyBytes: number },
): Promise<number> => (await children.fork<EchoVerbs>('./echo.process.ts'))('listen', sizes)
