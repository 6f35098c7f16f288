/** Whether lists cost the same however much a store holds: the same requests to a small and to a large one, in turns. */
import { Agent, request as httpRequest } from 'node:http'
import { type ListsStore, makeListsStore } from '../lib/lists-store.ts'
import type { Bench, Figure, Findings, Phase, Requirement } from '../lib/phase.ts'
import { Missing, startPostgres } from '../lib/programs.ts'
import { median, medianRatio, quantile } from '../lib/statistics.ts'

const MOST = 1.5
/** Below this, a difference is that of two processes, not of two stores. */
const NOISE_MS = 0.5

interface Question {
  readonly name: string
  readonly as?: 'calm' | 'busy'
  readonly path: (store: ListsStore) => string
}

const q = (name: string, path: Question['path'] | string, as?: Question['as']): Question => ({
  name,
  path: typeof path === 'string' ? () => path : path,
  ...(as && { as }),
})

/** As many as the conversations of the small store have on either side of the middle. */
const FEW = 5
const CALM_1TO1 = '/users/u0/messages'
const GROUP = '/groups/g/messages'
const cursors = (name: string, path: string, as?: Question['as'], limit = 50): readonly Question[] => [
  q(`${name}, newest`, `${path}?affix=prepend&limit=${limit}`, as),
  q(`${name}, oldest`, `${path}?affix=append&limit=${limit}`, as),
  q(`${name}, before the middle`, ({ middleId }) => `${path}?affix=prepend&limit=${limit}&id=${middleId}`, as),
  q(`${name}, after the middle`, ({ middleId }) => `${path}?affix=append&limit=${limit}&id=${middleId}`, as),
]

const questions: readonly Question[] = [
  ...cursors('messages of a conversation', CALM_1TO1, 'calm', FEW),
  ...cursors('messages of the group', GROUP, 'calm'),
  q(
    '  after a time in the middle',
    ({ middleSentAt }) => `${GROUP}?affix=append&limit=50&sentAt=${middleSentAt}`,
    'calm',
  ),
  q('  before it', ({ middleSentAt }) => `${GROUP}?affix=prepend&limit=50&sentAt=${middleSentAt}`, 'calm'),
  q('  since it', ({ middleSentAt }) => `${GROUP}?limit=50&fromTimestamp=${middleSentAt}`, 'calm'),
  q('  of one type', `${GROUP}?affix=prepend&limit=50&types=image`, 'calm'),
  q('  of one sender', `${GROUP}?affix=prepend&limit=5&sender=u7`, 'calm'),
  q('  without replies', `${GROUP}?affix=prepend&limit=50&hideReplies=true`, 'calm'),
  q('  with reactions', `${GROUP}?affix=prepend&limit=50&hasReactions=true`, 'calm'),
  q('  pinned', `${GROUP}?affix=prepend&limit=50&pinned=true`, 'calm'),
  q('  saved', `${GROUP}?affix=prepend&limit=50&saved=true`, 'calm'),
  q('  edited', `${GROUP}?affix=prepend&limit=50&onlyUpdates=true&updatedAt=1`, 'calm'),
  q('  unread', `${GROUP}?affix=append&limit=50&unread=true`, 'calm'),
  ...cursors('messages of a user with 30 conversations', '/messages', 'calm'),
  q('  unread', '/messages?affix=append&limit=50&unread=true', 'calm'),
  q('  saved', '/messages?affix=prepend&limit=50&saved=true', 'calm'),
  q('  pinned', '/messages?affix=prepend&limit=50&pinned=true', 'calm'),
  ...cursors('messages of a user with many', '/messages', 'busy'),
  q('  unread', '/messages?affix=append&limit=50&unread=true', 'busy'),
  q('messages of a user, one to one, for the app', '/users/busy/messages?affix=prepend&limit=50'),
  ...cursors('messages of the app', '/messages'),
  ...[undefined, 'calm' as const].flatMap((as) => {
    const name = `thread, for ${as === undefined ? 'the app' : 'a member'}`
    return [
      q(`${name}, newest`, ({ rootId }) => `/messages/${rootId}/thread?affix=prepend&limit=50`, as),
      q(`${name}, oldest`, ({ rootId }) => `/messages/${rootId}/thread?limit=50`, as),
    ]
  }),
  q('threads of the group', '/groups/g/threads?limit=30', 'calm'),
  q('  from the middle on', ({ middleRootId }) => `/groups/g/threads?limit=20&id=${middleRootId}`, 'calm'),
  q('threads of a user', '/threads?limit=30', 'busy'),
  q('reactions', ({ reactedId }) => `/messages/${reactedId}/reactions?limit=100`, 'calm'),
  q('  of one kind', ({ reactedId }) => `/messages/${reactedId}/reactions/r3?limit=100`, 'calm'),
  q('conversations of a user with 30', '/conversations?perPage=30', 'calm'),
  q('conversations of a user with many', '/conversations?perPage=30', 'busy'),
  q('  page 3', '/conversations?perPage=30&page=3', 'busy'),
  q('  unread', '/conversations?perPage=30&unread=true', 'busy'),
  q('unread counts, 30', '/messages?unread=true&count=true', 'calm'),
  q('unread counts, many', '/messages?unread=true&count=true', 'busy'),
  q('conversations of the app', '/conversations?perPage=30'),
  q('members, first page', '/groups/g/members?perPage=50'),
  q('  for a member', '/groups/g/members?perPage=50', 'calm'),
  q('users, first page', '/users?perPage=50'),
  q('  page 3', '/users?perPage=50&page=3'),
  q('  for a user', '/users?perPage=50', 'calm'),
  q('  by name', '/users?perPage=50&sortBy=name'),
  q('  friends', '/users/calm/friends?perPage=50'),
  q('  blocked', '/users/calm/blockedusers?perPage=50'),
  q('groups', '/groups?perPage=50', 'calm'),
]

const ask = (agent: Agent, store: ListsStore, { path, as, name }: Question): Promise<{ ms: number; count: number }> =>
  new Promise((resolve, reject) => {
    const started = performance.now()
    const headers = { ...store.headers, ...(as && { onbehalfof: as }) }
    const outgoing = httpRequest(
      { host: '127.0.0.1', port: store.server.port, path: `/v3${path(store)}`, headers, agent },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const ms = performance.now() - started
          const text = Buffer.concat(parts).toString('utf8')
          if (response.statusCode !== 200) reject(new Error(`${name}: ${response.statusCode} ${text}`))
          else resolve({ ms, count: (JSON.parse(text) as { data: unknown[] }).data.length })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })

interface Measured {
  readonly question: Question
  readonly small: readonly number[][]
  readonly large: readonly number[][]
  readonly rows: readonly [number, number]
}

/** Interleaved, request by request: whatever disturbs the machine disturbs both. */
const measure = async (
  { scale }: Bench,
  stores: { small: ListsStore; large: ListsStore },
  question: Question,
): Promise<Measured> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const small: number[][] = []
  const large: number[][] = []
  const rows = [
    (await ask(agent, stores.small, question)).count,
    (await ask(agent, stores.large, question)).count,
  ] as const
  for (let n = 0; n < 5; n++) for (const which of ['small', 'large'] as const) await ask(agent, stores[which], question)
  for (let round = 0; round < scale.rounds; round++) {
    const times = { small: [] as number[], large: [] as number[] }
    for (let n = 0; n < scale.lists.requests; n++) {
      const turn = n % 2 === 0 ? (['small', 'large'] as const) : (['large', 'small'] as const)
      for (const which of turn) times[which].push((await ask(agent, stores[which], question)).ms)
    }
    small.push(times.small)
    large.push(times.large)
  }
  agent.destroy()
  return { question, small, large, rows }
}

const figureOf = (what: string, { small, large }: Measured, at: number): Figure => {
  const [of, limits] = [large.map((times) => quantile(times, at)), small.map((times) => quantile(times, at))]
  return { what, value: median(of), unit: 'ms', limit: median(limits), ratio: medianRatio(of, limits) }
}

/** Members are as many as the group has: both stores show a page of as many, but a small group may have fewer. */
const isFlat = ({ value, limit = 0, ratio = 0 }: Figure): boolean => ratio <= MOST || value - limit <= NOISE_MS

const compare = async (bench: Bench, engine: string, urls: { small?: string; large?: string }): Promise<Findings> => {
  const { busy, small, large } = bench.scale.lists
  const urlOf = (url: string | undefined) => (url === undefined ? { busy } : { busy, databaseUrl: url })
  const stores = {
    small: await makeListsStore(bench, small, urlOf(urls.small)),
    large: await makeListsStore(bench, large, urlOf(urls.large)),
  }
  const figures: Figure[] = []
  const misses: string[] = []
  const notes: string[] = []
  let under = ''
  for (const question of questions) {
    const measured = await measure(bench, stores, question)
    if (!question.name.startsWith('  ')) under = question.name.split(',')[0] ?? ''
    const p99 = figureOf(`${engine}: ${question.name}, p99`, measured, 0.99)
    figures.push(figureOf(`${engine}: ${question.name}, p50`, measured, 0.5), p99)
    const name = question.name.startsWith('  ') ? `${under}:${question.name.slice(1)}` : question.name
    if (!isFlat(p99)) misses.push(`${name} ${p99.ratio?.toFixed(2)}`)
    if (measured.rows[0] !== measured.rows[1]) notes.push(`${engine}: ${name}: ${measured.rows.join(' and ')} rows`)
  }
  const requirement: Requirement = {
    text: `${engine}: p99 of each list of a large store ≤ ${MOST} × that of a small one`,
    value: misses.length === 0 ? `all ${questions.length}` : misses.join('; '),
    met: misses.length === 0,
  }
  await stores.small.server.stop()
  await stores.large.server.stop()
  return { figures, requirements: [requirement], notes }
}

const onPostgres = async (bench: Bench): Promise<Findings> => {
  try {
    const [small, large] = [await startPostgres(bench.children), await startPostgres(bench.children)]
    return await compare(bench, 'PostgreSQL', { small, large })
  } catch (error) {
    if (!(error instanceof Missing)) throw error
    return { figures: [], requirements: [], notes: [`skipped: ${error.message}`] }
  }
}

export const lists: Phase = {
  name: 'lists',
  title: 'Lists of a large store beside those of a small one (the "bare limit" here)',
  run: async (bench) => {
    const parts = [await compare(bench, 'SQLite', {}), await onPostgres(bench)]
    return {
      figures: parts.flatMap(({ figures }) => figures),
      requirements: parts.flatMap(({ requirements }) => requirements),
      notes: parts.flatMap(({ notes }) => notes),
    }
  },
}
