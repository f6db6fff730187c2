import { z } from 'zod'
import { ArtifactCollectionInfo } from './artifacts.ts'
import { endpoint, Id, Instant, Ok } from './base.ts'

const Role = z.enum(['admin', 'member', 'viewer'])

/** Collections of links that the whole organisation shares; who is in it is told for it alone. */
export const Registry = z.object({
  id: Id,
  /** As people call it, without the client's `wandb-registry-`. */
  name: z.string(),
  /** Under which artifacts pages and the client address it: team and project. */
  team: z.string(),
  project: z.string(),
  description: z.string(),
  /** `organisation`: everybody in it may look; `restricted`: its members alone. */
  audience: z.enum(['organisation', 'restricted']),
  /** Types of artifacts that it takes; null: any. */
  types: z.array(z.string()).nullable(),
  collections: z.number(),
  members: z.number(),
  /** What the caller is in it: by themselves, or through a team. */
  role: Role.nullable(),
  createdAt: Instant,
  updatedAt: Instant,
})
export type Registry = z.infer<typeof Registry>

/** A person, or everybody of a team. */
export const RegistryMemberInfo = z.object({
  kind: z.enum(['person', 'team']),
  /** Username or the team's slug. */
  name: z.string(),
  shown: z.string(),
  role: Role,
})
export type RegistryMemberInfo = z.infer<typeof RegistryMemberInfo>

export const RegistryDetails = Registry.extend({
  list: z.array(ArtifactCollectionInfo),
  memberList: z.array(RegistryMemberInfo),
  /** Why the caller may not change it or its members, or null. */
  editRefusal: z.string().nullable(),
})
export type RegistryDetails = z.infer<typeof RegistryDetails>

const registry = z.object({ registry: z.string().min(1).max(128) })
const settings = {
  description: z.string().max(10_000).optional(),
  audience: z.enum(['organisation', 'restricted']).optional(),
  /** Added to those it takes already; versions of a type once taken may be linked. */
  types: z.array(z.string().trim().min(1).max(128)).max(100).optional(),
}
const path = '/registries'
const tags = ['registries']

export const registries = {
  list: endpoint
    .route({ method: 'GET', path, summary: 'Registries of the organisation that the caller may see', tags })
    .output(
      z.object({
        items: z.array(Registry),
        /** Why the caller may not make one, or null. */
        createRefusal: z.string().nullable(),
      }),
    ),
  get: endpoint
    .route({
      method: 'GET',
      path: `${path}/{registry}`,
      summary: 'A registry, its collections, its members',
      tags,
    })
    .input(registry)
    .output(RegistryDetails),
  create: endpoint
    .route({ method: 'POST', path, summary: 'Make a registry; who makes it is its admin', tags })
    .input(z.object({ name: z.string().trim().min(1).max(100), ...settings }))
    .output(RegistryDetails),
  change: endpoint
    .route({
      method: 'PATCH',
      path: `${path}/{registry}`,
      summary: 'Describe a registry, change who may look',
      tags,
    })
    .input(registry.extend(settings))
    .output(RegistryDetails),
  delete: endpoint
    .route({
      method: 'DELETE',
      path: `${path}/{registry}`,
      summary: 'Delete a registry with its links; the versions stay where they were made',
      tags,
    })
    .input(registry)
    .output(Ok),
  setMember: endpoint
    .route({
      method: 'PUT',
      path: `${path}/{registry}/members`,
      summary: 'Give a person or a team a role in it',
      tags,
    })
    .input(
      registry.extend({
        kind: z.enum(['person', 'team']),
        name: z.string().trim().min(1).max(128),
        /** Null: take it away. */
        role: Role.nullable(),
      }),
    )
    /** Null: the caller has taken themselves out of one that only members know. */
    .output(RegistryDetails.nullable()),
}
