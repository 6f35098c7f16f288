import { expect, test } from 'vitest'
import { features, featuresByRoute, parseFeature, shownKey, shownPath } from './features.ts'

test('keys come with their mark and without, and are shown with it', () => {
  expect([parseFeature('u.listUsers'), parseFeature('listUsers')]).toEqual(['listUsers', 'listUsers'])
  for (const text of ['', 'u.', 'u.u.listUsers', 'LISTUSERS', 'constructor', '__proto__', 'x.listUsers']) {
    expect(parseFeature(text)).toBeUndefined()
  }
  expect(shownKey('listUsers')).toBe('u.listUsers')
  expect(shownPath('ban')).toBe('/v3/groups/{{guid}}/bannedusers/{{uid}}')
})

test('every feature closes something, and is found by what it closes', () => {
  for (const [key, { routes }] of Object.entries(features)) {
    for (const route of routes) {
      expect(route).toMatch(/^(GET|POST|PUT|DELETE) \/[\w/:]+$/)
      expect(featuresByRoute.get(route)).toContain(key)
    }
  }
})
