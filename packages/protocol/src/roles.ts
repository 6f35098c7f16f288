/** Roles: what users of a kind may do in the whole app. */
import { type Static, Type } from 'typebox'
import { JsonObject, UnixSeconds } from './entities.ts'
import { PageQuery } from './envelopes.ts'
import { limits, upTo } from './limits.ts'

/** The role of whoever has no other: it is there from the beginning, and cannot be deleted. */
export const DEFAULT_ROLE = 'default'

export const whomRoles = ['all', 'friendsOnly'] as const
const Whom = Type.Enum(whomRoles)
export const RoleSettings = Type.Object({
  listUsers: Type.Optional(Whom),
  sendMessagesTo: Type.Optional(Whom),
})
export type RoleSettings = Static<typeof RoleSettings>

export const Role = Type.Object(
  {
    role: Type.String({ description: 'Chosen by the customer, folded to lower case.' }),
    name: Type.String(),
    description: Type.Optional(Type.String()),
    metadata: Type.Optional(JsonObject),
    settings: Type.Optional(RoleSettings),
    createdAt: UnixSeconds,
    updatedAt: Type.Optional(UnixSeconds),
  },
  { title: 'Role' },
)
export type Role = Static<typeof Role>

const Name = Type.String({ minLength: 1, ...upTo('maxLength', 'nameLength'), pattern: '\\S' })
const profile = {
  description: Type.Optional(Type.String({ maxLength: limits.roleDescriptionLength })),
  metadata: Type.Optional(JsonObject),
  settings: Type.Optional(RoleSettings),
}
export const CreateRole = Type.Object({
  role: Type.String({
    minLength: 1,
    maxLength: limits.roleLength,
    pattern: '^[A-Za-z0-9_-]+$',
    description: 'Letters, digits, _ and -; folded to lower case.',
  }),
  name: Name,
  ...profile,
})
export type CreateRole = Static<typeof CreateRole>

export const unsettableOfRole = ['settings', 'description', 'metadata'] as const
export const UpdateRole = Type.Object({
  name: Type.Optional(Name),
  ...profile,
  unset: Type.Optional(Type.Array(Type.Enum(unsettableOfRole))),
})
export type UpdateRole = Static<typeof UpdateRole>

export const ListRoles = Type.Object({ ...PageQuery })

// Restricted features ---------------------------------------------------------------------------------------------

const FeatureKeys = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
  minItems: 1,
  maxItems: limits.featuresPerCall,
  description: 'Keys of features, with `u.` before them or without.',
})
export const RestrictFeatures = Type.Object({ featuresToRestrict: FeatureKeys })
export const AllowFeatures = Type.Object({
  featuresToAllow: Type.Optional(FeatureKeys),
  allowAll: Type.Optional(Type.Boolean()),
})
export type AllowFeatures = Static<typeof AllowFeatures>

export const RestrictedFeature = Type.Object(
  {
    title: Type.String(),
    description: Type.String(),
    key: Type.String(),
    path: Type.String(),
    createdAt: UnixSeconds,
  },
  { title: 'RestrictedFeature' },
)
export type RestrictedFeature = Static<typeof RestrictedFeature>
