/** Users: one by one, and many at once. */
import { expect } from 'vitest'
import { expectKeys, expectPage, type Operations, PLAIN_USER, SUCCESS, USER } from './support.ts'

const profile = {
  name: 'Ann',
  avatar: 'https://ann.example/a.png',
  link: 'https://ann.example',
  role: 'Teacher',
  statusMessage: 'away',
  metadata: { city: 'Bern' },
  tags: ['one', 'two'],
}

export const userOperations: Operations = {
  'POST /users': async ({ api }) => {
    const { data } = await api.ok('POST', '/users', { body: { uid: 'Ann', ...profile, withAuthToken: true } })
    expectKeys(data, [...USER, 'authToken'])
    expect(data).toMatchObject({ ...profile, uid: 'ann', role: 'teacher', status: 'offline' })
    const plain = await api.ok('POST', '/users', { body: { uid: 'bob', name: 'Bob' } })
    expectKeys(plain.data, PLAIN_USER)
    for (const uid of ['cara', 'robot']) await api.ok('POST', '/users', { body: { uid, name: uid } })
  },
  'GET /users': async ({ api }) => {
    expectPage(
      await api.ok('GET', '/users'),
      USER.filter((key) => key !== 'tags'),
      { cursor: true },
    )
    expectPage(await api.ok('GET', '/users', { query: { withTags: true } }), USER, { cursor: true })
  },
  'GET /users/:uid': async ({ api }) => {
    expectKeys((await api.ok('GET', '/users/ANN')).data, USER)
    expectKeys((await api.ok('GET', '/users/bob')).data, PLAIN_USER)
  },
  'PUT /users/:uid': async ({ api }) => {
    const { data } = await api.ok('PUT', '/users/ann', { body: { name: 'Anna' } })
    expectKeys(data, [...USER, 'updatedAt'])
    expect(data).toMatchObject({ name: 'Anna', metadata: profile.metadata })
  },
  'DELETE /users': async ({ api }) => {
    const { data } = await api.ok('DELETE', '/users', { body: { uidsToDeactivate: ['Cara', 'nobody'] } })
    expect(data).toEqual({ deactivatedUids: ['cara'] })
  },
  'PUT /users': async ({ api }) => {
    const { data } = await api.ok('PUT', '/users', { body: { uidsToActivate: ['cara', 'nobody'] } })
    expect(data).toEqual({ nonDeactivatedUids: ['cara'] })
  },
}

/** When nobody needs cara any more. */
export const lastUserOperations: Operations = {
  'DELETE /users/:uid': async ({ api }) => {
    expectKeys((await api.ok('DELETE', '/users/cara')).data, SUCCESS)
    await api.fails('ERR_UID_NOT_FOUND', 'GET', '/users/cara')
  },
}
