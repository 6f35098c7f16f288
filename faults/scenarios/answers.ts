/** What bots say in their answers. */
import { readStore } from '../../packages/server/src/testing/read-store.ts'
import type { Misbehaviour } from '../lib/misbehaviours.ts'
import { pick } from '../lib/random.ts'
import { BOTS, type Run } from '../lib/run.ts'
import type { Scenario } from '../lib/scenario.ts'
import { within } from '../lib/wait.ts'

const ALL_MADE_WITHIN_MS = 10_000

/** Every other reply is a stream, whose pieces make one message. */
const replying = (text: string, n: number): Misbehaviour => ({
  name: n % 2 === 0 ? 'answers with a reply' : 'answers with a stream',
  fault: 'F20',
  means: 'delivered',
  cost: 'none',
  behave: () =>
    n % 2 === 0
      ? { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ reply: text }) }
      : {
          status: 200,
          headers: { 'content-type': 'text/event-stream' },
          body: [...text].map((piece) => `data: ${JSON.stringify({ text: piece })}\n\n`).join(''),
        },
})

const allMade = (run: Run, bot: string): Promise<boolean> =>
  within(ALL_MADE_WITHIN_MS, async () => (await run.deliveries({ bot, state: 'pending', limit: 1 })).length === 0)

const checkReplies = async (run: Run, bot: string, expected: ReadonlySet<string>): Promise<void> => {
  const rows = await readStore<{ text: string; n: number }>(
    run.storage,
    `SELECT text, count(*) AS n FROM messages WHERE sender = '${bot}' GROUP BY text`,
  )
  const said = new Map(rows.map(({ text, n }) => [text, n]))
  const silent = [...expected].filter((text) => !said.has(text))
  const often = rows.filter(({ n }) => n > 1)
  const strange = rows.filter(({ text }) => !expected.has(text))
  const wrongs = {
    'were not posted': silent,
    'were posted more than once': often,
    'were posted, and not said': strange,
  }
  for (const [what, those] of Object.entries(wrongs)) {
    if (those.length > 0) run.chronicle.wrong(`${those.length} replies in answers ${what}`)
  }
}

const repliesInAnswers: Scenario = {
  name: 'replies-in-answers',
  faults: 'F20, F01',
  what: 'a bot replies in its answers, as JSON and as a stream, with a kill −9 or two between: each reply is posted once, none is forgotten',
  inject: async (run) => {
    const bot = pick(run.random, BOTS)
    const expected = new Set<string>()
    let n = 0
    // The same reply to the same delivery, however often it comes.
    run.bots.choose = (one, { headers }) => {
      if (one !== bot) return undefined
      const text = `re ${headers['webhook-id']}`
      expected.add(text)
      return replying(text, n++)
    }
    run.injected('F20 replies in answers')
    await run.writing(150, 400)
    for (let kills = run.between(0, 2); kills > 0; kills--) {
      run.injected('F01 kill −9 at random')
      await run.kill()
      await run.writing(50, 250)
    }
    await run.people.silence(bot)
    if (!(await allMade(run, bot))) run.chronicle.wrong('what a bot replies to was not delivered in time')
    await checkReplies(run, bot, expected)
    run.bots.choose = undefined
    run.people.speak(bot)
  },
}

export const answers: readonly Scenario[] = [repliesInAnswers]
