/** What every engine must do, whatever it is: run by the test of each. */
import { readdirSync, readFileSync } from 'node:fs'
import { type ErrorCode, errorCodes } from '@confab/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AppError } from '../../kernel/app-error.ts'
import { operations } from '../sql/operations.ts'
import { makePort, verbsOf } from '../sql/seam.ts'
import type { Store } from '../store.ts'
import { appRemovalConformance } from './app-removal.ts'
import { appsConformance } from './apps.ts'
import { auditConformance } from './audit.ts'
import { botsConformance } from './bots.ts'
import { botSecretsConformance } from './bots-secrets.ts'
import { breakersConformance } from './breakers.ts'
import { callsConformance } from './calls.ts'
import { conversationsConformance } from './conversations.ts'
import { deliveriesConformance } from './deliveries.ts'
import { filesConformance } from './files.ts'
import { groupsConformance } from './groups.ts'
import { hopsConformance } from './hops.ts'
import { importsConformance } from './imports.ts'
import { laneOrderConformance } from './lane-order.ts'
import { lanesConformance } from './lanes.ts'
import { leasesConformance } from './leases.ts'
import { limitsConformance } from './limits.ts'
import { membersConformance } from './members.ts'
import { messageChangesConformance } from './message-changes.ts'
import { messageListsConformance } from './message-lists.ts'
import { messageMarksConformance } from './message-marks.ts'
import { messageRelayConformance } from './message-relay.ts'
import { messagesConformance } from './messages.ts'
import { presenceConformance } from './presence.ts'
import { relationsConformance } from './relations.ts'
import { replaysConformance } from './replays.ts'
import { rolesConformance } from './roles.ts'
import type { Opened, Subject } from './subject.ts'
import { threadsConformance } from './threads.ts'
import { tokensConformance } from './tokens.ts'
import { triggersConformance } from './triggers.ts'
import { updatesConformance } from './updates.ts'
import { usersConformance } from './users.ts'
import { webhooksConformance } from './webhooks.ts'

interface Seen {
  readonly verbs: Set<string>
  readonly codes: Set<string>
}

const watched = (store: Store, seen: Seen): Store => {
  const nouns = store as unknown as Record<string, Record<string, (input: unknown) => Promise<unknown>>>
  const port = makePort<typeof operations>(verbsOf(operations), (path) => (input) => {
    seen.verbs.add(path)
    const [noun = '', verb = ''] = path.split('.')
    const call = nouns[noun]?.[verb]
    if (call === undefined) return Promise.reject(new Error(`the store has no ${path}`))
    return call(input).catch((error: unknown) => {
      if (error instanceof AppError) seen.codes.add(error.code)
      throw error
    })
  })
  return { ...port, engine: store.engine, close: () => store.close() }
}

/** Codes that operations name in their own source. */
const thrownCodes = (): ErrorCode[] => {
  const folder = new URL('../sql/', import.meta.url)
  const source = readdirSync(folder, { encoding: 'utf8', recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const known = Object.keys(errorCodes) as ErrorCode[]
  return known.filter((code) => source.some((text) => text.includes(`AppError('${code}'`)))
}

const everyVerb = (): string[] =>
  Object.entries(operations).flatMap(([noun, verbs]) => Object.keys(verbs).map((verb) => `${noun}.${verb}`))

export const storeConformance = (name: string, open: () => Promise<Opened>): void => {
  describe(`${name}: conformance`, () => {
    const seen: Seen = { verbs: new Set(), codes: new Set() }
    let opened: Opened
    let watchedPair: ReturnType<Subject>
    beforeAll(async () => {
      opened = await open()
      watchedPair = { store: watched(opened.store, seen), peer: watched(opened.peer, seen), lowered: opened.lowered }
    })
    afterAll(() => opened.close())
    const subject: Subject = () => watchedPair

    describe('apps and keys', () => appsConformance(subject))
    describe('apps: made, gone', () => appRemovalConformance(subject))
    describe('audit', () => auditConformance(subject))
    describe('users', () => usersConformance(subject))
    describe('auth tokens', () => tokensConformance(subject))
    describe('roles', () => rolesConformance(subject))
    describe('friends and blocked users', () => relationsConformance(subject))
    describe('presence', () => presenceConformance(subject))
    describe('groups', () => groupsConformance(subject))
    describe('members', () => membersConformance(subject))
    describe('limits', () => limitsConformance(subject))
    describe('messages', () => messagesConformance(subject))
    describe('messages: edit, delete, purge', () => messageChangesConformance(subject))
    describe('messages: which bots hear them', () => messageRelayConformance(subject))
    describe('messages: which bots hear of changes', () => triggersConformance(subject))
    describe('messages: lists', () => messageListsConformance(subject))
    describe('messages: reactions, interactions, pins', () => messageMarksConformance(subject))
    describe('threads', () => threadsConformance(subject))
    describe('conversations', () => conversationsConformance(subject))
    describe('calls', () => callsConformance(subject))
    describe('files', () => filesConformance(subject))
    describe('imports and statistics', () => importsConformance(subject))
    describe('bots', () => botsConformance(subject))
    describe('bots: secrets', () => botSecretsConformance(subject))
    describe('lanes', () => lanesConformance(subject))
    describe('leases', () => leasesConformance(subject))
    describe('deliveries', () => deliveriesConformance(subject))
    describe('replays', () => replaysConformance(subject))
    describe('breakers and parked lanes', () => breakersConformance(subject))
    describe('updates', () => updatesConformance(subject))
    describe('bots that hear bots', () => hopsConformance(subject))
    describe('webhooks', () => webhooksConformance(subject))
    describe('lanes: order under load', () => laneOrderConformance(subject))

    test('the suite exercised every verb and saw every code that operations throw', () => {
      expect([...seen.verbs].sort()).toEqual(everyVerb().sort())
      expect(thrownCodes().filter((code) => !seen.codes.has(code))).toEqual([])
      expect(thrownCodes().length).toBeGreaterThan(15)
    })
  })
}
