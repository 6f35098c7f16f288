/** Questions and answers between the runner and the processes it starts. */
import type { ChildProcess } from 'node:child_process'

interface Question {
  readonly id: number
  readonly verb: string
  readonly input: unknown
}

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

export type Verbs = Readonly<Record<string, (input: never) => unknown>>

/** In the child: answers until the runner is gone, and then ends the process. */
export const answerQuestions = (verbs: Verbs): void => {
  const say = (answer: Answer): void => {
    process.send?.(answer)
  }
  process.on('message', async ({ id, verb, input }: Question) => {
    try {
      say({ id, value: await verbs[verb]?.(input as never) })
    } catch (error) {
      say({ id, error: String(error) })
    }
  })
  process.on('disconnect', () => process.exit())
  // Ctrl+C reaches the whole process group; the runner decides who ends when.
  process.on('SIGINT', () => {})
  say({ id: 0 })
}

export type Ask<V extends Verbs> = <K extends keyof V & string>(
  verb: K,
  input: Parameters<V[K]>[0],
) => Promise<Awaited<ReturnType<V[K]>>>

/** In the runner: resolves when the child is ready. */
export const askChild = async <V extends Verbs>(child: ChildProcess, name: string): Promise<Ask<V>> => {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  const expect = (id: number): Promise<unknown> => {
    const pending = Promise.withResolvers<unknown>()
    waiting.set(id, pending)
    return pending.promise
  }
  child.on('message', ({ id, value, error }: Answer) => {
    if (error === undefined) waiting.get(id)?.resolve(value)
    else waiting.get(id)?.reject(new Error(`${name}: ${error}`))
    waiting.delete(id)
  })
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} has ended with ${code}`))
    waiting.clear()
  })
  await expect(0)
  return ((verb: string, input: unknown) => {
    const answer = expect(++lastId)
    child.send({ id: lastId, verb, input })
    return answer
  }) as Ask<V>
}
