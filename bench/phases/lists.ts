/** Whether lists cost the same however much a store holds: the same requests to a small and to a large one, in turns. */
import { askInTurns, type Times } from '../lib/in-turns.ts'
import { type Question, questions, requestOf, rowsOf } from '../lib/lists-questions.ts'
import { type ListsStore, makeListsStore } from '../lib/lists-store.ts'
import type { Bench, Figure, Findings, Phase, Requirement } from '../lib/phase.ts'
import { Missing, startPostgres } from '../lib/programs.ts'
import { median, quantile, ratiosOf } from '../lib/statistics.ts'

const MOST = 1.5
/** Below this, a difference is that of two processes, not of two stores. */
const NOISE_MS = 0.5
/** However long they take. */
const LEAST_ROUNDS = 3

interface Stores {
  readonly small: ListsStore
  readonly large: ListsStore
}

type Ports = Readonly<Record<keyof Stores, number>>

interface Asked {
  readonly question: Question
  /** With what it is a part of. */
  readonly fullName: string
  readonly rounds: Times[]
}

const askedOf = (all: readonly Question[]): readonly Asked[] => {
  let under = ''
  return all.map((question) => {
    const { name } = question
    const isPart = name.startsWith('  ')
    if (!isPart) under = name.split(',')[0] ?? ''
    return { question, fullName: isPart ? `${under}:${name.slice(1)}` : name, rounds: [] }
  })
}

const figureOf = (what: string, rounds: readonly Times[], at: number): Figure => {
  const of = rounds.map(({ ours }) => quantile(ours, at))
  const limits = rounds.map(({ limit }) => quantile(limit, at))
  const ratios = ratiosOf(of, limits)
  const spread = [Math.min(...ratios), Math.max(...ratios)] as const
  return { what, value: median(of), unit: 'ms', limit: median(limits), ratio: median(ratios), spread }
}

const p99Of = (what: string, { rounds }: Asked): Figure => figureOf(what, rounds, 0.99)

/** Members are as many as the group has: both stores show a page of as many, but a small group may have fewer. */
const isFlat = ({ value, limit = 0, ratio = 0 }: Figure): boolean => ratio <= MOST || value - limit <= NOISE_MS

/** A round goes over all lists, so that what disturbs the machine for a while is in one round of each, and not in the median. */
const measure = async ({ scale }: Bench, stores: Stores, ports: Ports, until: number) => {
  const { rounds, more, requests } = scale.lists
  const all = askedOf(questions)
  const ask = async (which: readonly Asked[], least: number, most: number): Promise<number> => {
    for (let round = 0; round < most; round++) {
      if (round >= least && performance.now() > until) return round
      for (const { question, rounds: done } of which) {
        const large = { port: ports.large, request: requestOf(stores.large, question) }
        const small = { port: ports.small, request: requestOf(stores.small, question) }
        done.push(await askInTurns(large, small, requests))
      }
    }
    return most
  }
  const first = await ask(all, LEAST_ROUNDS, rounds)
  // The rounds that missed count with those that follow.
  const missed = all.filter((asked) => !isFlat(p99Of('', asked)))
  const again = missed.length === 0 ? 0 : await ask(missed, 0, more)
  const note = `${first} rounds of ${requests} requests to each store; ${missed.length} lists missed, and had ${again} rounds more`
  return { all, note }
}

const compare = async (bench: Bench, engine: string, stores: Stores, until: number): Promise<Findings> => {
  const { small, large } = stores
  const servers = { small: await bench.startServer(small.where), large: await bench.startServer(large.where) }
  const ports = { small: servers.small.port, large: servers.large.port }
  const notes: string[] = []
  for (const { question, fullName } of askedOf(questions)) {
    const rows = [await rowsOf(ports.small, small, question), await rowsOf(ports.large, large, question)]
    if (rows[0] !== rows[1]) notes.push(`${engine}: ${fullName}: ${rows.join(' and ')} rows`)
  }
  const { all, note } = await measure(bench, stores, ports, until)
  notes.push(`${engine}: ${note}`)
  const figures = all.flatMap((asked) => [
    figureOf(`${engine}: ${asked.question.name}, p50`, asked.rounds, 0.5),
    p99Of(`${engine}: ${asked.question.name}, p99`, asked),
  ])
  const misses = all.flatMap((asked) => {
    const p99 = p99Of('', asked)
    return isFlat(p99) ? [] : [`${asked.fullName} ${p99.ratio?.toFixed(2)}`]
  })
  const requirement: Requirement = {
    text: `${engine}: p99 of each list of a large store ≤ ${MOST} × that of a small one`,
    value: misses.length === 0 ? `all ${questions.length}` : misses.join('; '),
    met: misses.length === 0,
  }
  await servers.small.stop()
  await servers.large.stop()
  return { figures, requirements: [requirement], notes }
}

const makeStores = async (bench: Bench, urls?: Record<keyof Stores, string>): Promise<Stores> => {
  const { busy, small, large } = bench.scale.lists
  return {
    small: await makeListsStore(bench, small, { busy, ...(urls && { databaseUrl: urls.small }) }),
    large: await makeListsStore(bench, large, { busy, ...(urls && { databaseUrl: urls.large }) }),
  }
}

const makeOnPostgres = async (bench: Bench): Promise<Stores | Missing> => {
  try {
    const urls = { small: await startPostgres(bench.children), large: await startPostgres(bench.children) }
    return await makeStores(bench, urls)
  } catch (error) {
    if (error instanceof Missing) return error
    throw error
  }
}

export const lists: Phase = {
  name: 'lists',
  title: 'Lists of a large store beside those of a small one (the "bare limit" here)',
  run: async (bench) => {
    const [embedded, onPostgres] = await Promise.all([makeStores(bench), makeOnPostgres(bench)])
    const { withinMs } = bench.scale.lists
    const until = performance.now() + withinMs
    const parts = [await compare(bench, 'SQLite', embedded, until - withinMs / 2)]
    const isMissing = onPostgres instanceof Missing
    if (!isMissing) parts.push(await compare(bench, 'PostgreSQL', onPostgres, until))
    return {
      figures: parts.flatMap(({ figures }) => figures),
      requirements: parts.flatMap(({ requirements }) => requirements),
      notes: [...parts.flatMap(({ notes }) => notes), ...(isMissing ? [`skipped: ${onPostgres.message}`] : [])],
    }
  },
}
