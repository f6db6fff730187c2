/**
 * Registries as the client meets them: projects of the organisation's entity. Everything that is a project answers for
 * them too; where a registry is something else, the resolvers here answer, and hand everything else to those before.
 */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import type { Artifacts, RegistryRole, StoredRegistry } from '../../artifacts/service.ts'
import type { Teams } from '../../teams/service.ts'
import type { Resolver, Resolvers, WandbContext } from '../graphql.ts'
import { numberedId, readNumberedId, readStorageId, storageId } from '../words.ts'
import { filterOf, orderOf, type TypeNode } from './artifact-nodes.ts'
import type { WithInput } from './artifact-saving.ts'
import { connectionOf, lengthOf, offsetOf, type PageArguments, pageOf } from './connections.ts'

type Deps = { artifacts: Artifacts; teams: Pick<Teams, 'members'> }

export type OrganisationNode = { id: string; slug: string; name: string }
type OrganisationEntity = { id: string; slug: string; name: string; kind: 'organisation' }
type ListArguments = PageArguments & {
  filters?: string | null
  projectFilters?: string | null
  collectionFilters?: string | null
  order?: string | null
}
type UpsertInput = {
  entityName?: string | null
  name?: string | null
  description?: string | null
  access?: string | null
  allowAllArtifactTypesInRegistry?: boolean | null
  artifactTypes?: { name: string }[] | null
}
type MembersInput = { projectId: string; userIds?: string[] | null; teamIds?: string[] | null }

const perPage = 100

/** @param before the resolvers that answer for what is no registry. */
export function registryResolvers({ artifacts, teams }: Deps, before: Resolvers[]): Resolvers {
  const asBefore = (type: string, field: string): Resolver => {
    for (const map of before.toReversed()) {
      const fields = map[type]
      if (fields && typeof fields === 'object' && field in fields) {
        return (fields as Record<string, Resolver>)[field]!
      }
    }
    return (parent: Record<string, unknown>) => parent[field]
  }
  /** `mine` for a registry, what was there before for any other project. */
  const ofRegistry = <Args>(
    field: string,
    mine: (registry: StoredRegistry, args: Args, context: WandbContext) => unknown,
  ): Record<string, Resolver> => {
    const otherwise = asBefore('Project', field)
    const resolver: Resolver = (project, args, context) =>
      isRegistry(project) ? mine(project, args, context) : otherwise(project, args, context)
    return { [field]: resolver }
  }
  const ofOrganisation = <Args>(
    field: string,
    mine: (organisation: OrganisationEntity, args: Args, context: WandbContext) => unknown,
  ): Record<string, Resolver> => {
    const otherwise = asBefore('Entity', field)
    const resolver: Resolver = (entity, args, context) =>
      isOrganisation(entity) ? mine(entity, args, context) : otherwise(entity, args, context)
    return { [field]: resolver }
  }
  const change = <Fields>(
    field: string,
    mine: (input: Fields, actor: Actor) => Promise<object | undefined>,
  ): Record<string, Resolver> => {
    const otherwise = asBefore('Mutation', field)
    const resolver: Resolver = async (parent, args, context) =>
      (await mine(args.input, context.actor)) ?? (await otherwise(parent, args, context))
    return { [field]: resolver }
  }

  const organisationEntity = async (actor: Actor): Promise<OrganisationEntity | null> => {
    const found = await artifacts.findOrganisation(actor)
    return found ? { ...found, kind: 'organisation' } : null
  }

  return {
    Query: {
      organization: async (_: unknown, { name }: { name: string }, { actor }) =>
        (await artifacts.findOrganisation(actor, name)) ?? null,
    },
    Organization: {
      id: ({ id }: OrganisationNode) => storageId('Organization', id),
      orgEntity: (_: OrganisationNode, __: unknown, { actor }) => organisationEntity(actor),
      advancedRegistryFeatures: () => ({ advancedSearch: true }),
    },
    User: {
      organizations: async (user: { username: string }, _: unknown, { actor }) =>
        user.username === actor.username ? [await artifacts.findOrganisation(actor)] : [],
    },
    Entity: {
      ...ofOrganisation('isTeam', () => false),
      ...ofOrganisation('entityType', () => 'organization'),
      ...ofOrganisation('members', () => []),
      ...ofOrganisation('user', () => null),
      organization: async (entity: { kind?: string }, _: unknown, { actor }) =>
        entity.kind === 'personal' ? null : ((await artifacts.findOrganisation(actor)) ?? null),
      ...ofOrganisation('projects', async (_, args: ListArguments, { actor }) => {
        const found = await artifacts.listRegistries(actor, {
          filter: filterOf(args.filters),
          order: args.order,
        })
        return pageOf(found, args)
      }),
      ...ofOrganisation('artifactCollections', async (_, args: ListArguments, { actor }) => {
        const page = { offset: offsetOf(args.after), limit: lengthOf(args.first, perPage) }
        const { collections, total } = await artifacts.listRegistryCollections(actor, {
          ...page,
          registries: filterOf(args.projectFilters),
          collections: filterOf(args.filters),
          order: orderOf(args.order),
        })
        return {
          ...connectionOf(collections, page.offset, page.offset + page.limit < total),
          totalCount: total,
        }
      }),
      ...ofOrganisation('artifactMemberships', async (_, args: ListArguments, { actor }) => {
        const page = { offset: offsetOf(args.after), limit: lengthOf(args.first, perPage) }
        const { memberships, total } = await artifacts.listRegistryVersions(actor, {
          ...page,
          registries: filterOf(args.projectFilters),
          collections: filterOf(args.collectionFilters),
          versions: filterOf(args.filters),
          order: orderOf(args.order),
        })
        return {
          ...connectionOf(memberships, page.offset, page.offset + page.limit < total),
          totalCount: total,
        }
      }),
    },
    Project: {
      ...ofRegistry('entity', (_, __, { actor }) => organisationEntity(actor)),
      ...ofRegistry('access', ({ audience }) => (audience === 'restricted' ? 'RESTRICTED' : 'PRIVATE')),
      ...ofRegistry('updatedAt', ({ updatedAt }) => updatedAt),
      ...ofRegistry('user', () => null),
      allowAllArtifactTypesInRegistry: (project: object) => (isRegistry(project) ? project.allTypes : null),
      ...ofRegistry('artifactTypes', async (registry, args: PageArguments, { actor }) => {
        const collections = await artifacts.listCollections(actor, registry)
        const names = new Set([...registry.types, ...collections.map(({ type }) => type)])
        const types: TypeNode[] = [...names].toSorted().map((name) => ({
          projectId: registry.id,
          teamId: registry.teamId,
          name,
          createdAt: registry.createdAt,
        }))
        return pageOf(types, args)
      }),
      members: async (project: { teamSlug: string }, _: unknown, { actor }) => {
        if (!isRegistry(project)) {
          const members = await teams.members(actor, project.teamSlug)
          return members.map((member) => ({ ...member, role: { name: member.role } }))
        }
        const members = await artifacts.listRegistryMembers(actor, project)
        return members.flatMap(({ user, role }) => (user ? [{ ...user, role: { name: role } }] : []))
      },
      teamMembers: async (project: object, _: unknown, { actor }) => {
        if (!isRegistry(project)) return []
        const members = await artifacts.listRegistryMembers(actor, project)
        return members.flatMap(({ team, role }) =>
          team ? [{ team: { ...team, kind: 'team' }, role: { name: role } }] : [],
        )
      },
    },
    ProjectMember: {
      id: ({ username }: { username: string }) => userId(username),
    },
    Mutation: {
      ...change('upsertModel', async (input: UpsertInput, actor) => {
        if (!(await isOfOrganisation(actor, input.entityName)) || !input.name) return undefined
        const existing = await artifacts.findRegistry(actor, input.name)
        const wanted = {
          ...(input.description == null ? {} : { description: input.description }),
          ...(input.access == null ? {} : { audience: audienceOf(input.access) }),
          ...(input.allowAllArtifactTypesInRegistry == null
            ? {}
            : { allTypes: input.allowAllArtifactTypesInRegistry }),
          ...(input.artifactTypes ? { types: input.artifactTypes.map(({ name }) => name) } : {}),
        }
        const project = existing
          ? await artifacts.changeRegistry(actor, existing, wanted)
          : await artifacts.createRegistry(actor, { ...wanted, name: input.name })
        return { model: project, project, inserted: !existing }
      }),
      ...change(
        'renameProject',
        async (input: { entityName: string; oldProjectName: string; newProjectName: string }, actor) => {
          if (!(await isOfOrganisation(actor, input.entityName))) return undefined
          const registry = await artifacts.findRegistry(actor, input.oldProjectName)
          const project = await artifacts.changeRegistry(actor, registry, { name: input.newProjectName })
          return { project, inserted: false }
        },
      ),
      ...change('deleteModel', async (input: { id: string }, actor) => {
        const id = readStorageId('Project', input.id)
        const registry = id === undefined ? undefined : await artifacts.findRegistryById(actor, id)
        if (!registry) return undefined
        await artifacts.deleteRegistry(actor, registry)
        return { success: true }
      }),
      createProjectMembers: (_: unknown, { input }: WithInput<MembersInput>, { actor }) =>
        setMembers(actor, input, 'member'),
      deleteProjectMembers: (_: unknown, { input }: WithInput<MembersInput>, { actor }) =>
        setMembers(actor, input, null),
      updateProjectMember: (
        _: unknown,
        { input }: WithInput<{ projectId: string; userId: string; userProjectRole: string }>,
        { actor },
      ) =>
        setMembers(
          actor,
          { projectId: input.projectId, userIds: [input.userId] },
          roleOf(input.userProjectRole),
        ),
      updateProjectTeamMember: (
        _: unknown,
        { input }: WithInput<{ projectId: string; teamId: string; teamProjectRole: string }>,
        { actor },
      ) =>
        setMembers(
          actor,
          { projectId: input.projectId, teamIds: [input.teamId] },
          roleOf(input.teamProjectRole),
        ),
    },
  }

  async function isOfOrganisation(actor: Actor, name: string | null | undefined): Promise<boolean> {
    return Boolean(name) && (await artifacts.findOrganisation(actor, name!)) !== undefined
  }

  async function setMembers(actor: Actor, input: MembersInput, role: RegistryRole | null) {
    const id = readStorageId('Project', input.projectId)
    const registry = id === undefined ? undefined : await artifacts.findRegistryById(actor, id)
    if (!registry) throw new GridError('not_found', 'There is no such registry')
    const named = (kind: 'User' | 'Entity', given: string) => {
      const name = readNumberedId(kind, given)
      if (name === undefined) throw new GridError('not_found', `There is no ${kind} with this id`)
      return name
    }
    const members = {
      usernames: (input.userIds ?? []).map((given) => named('User', given)),
      teams: (input.teamIds ?? []).map((given) => named('Entity', given)),
    }
    await artifacts.setRegistryMembers(actor, registry, members, role)
    return { success: true }
  }
}

const userId = (username: string): string => numberedId('User', username)

function isRegistry(project: object): project is StoredRegistry {
  return 'audience' in project && 'allTypes' in project
}

function isOrganisation(entity: { kind?: string }): entity is OrganisationEntity {
  return entity.kind === 'organisation'
}

function audienceOf(access: string): 'organisation' | 'restricted' {
  if (access === 'RESTRICTED') return 'restricted'
  if (access === 'PRIVATE') return 'organisation'
  throw new GridError('invalid', `A registry is PRIVATE (for the organisation) or RESTRICTED, not ${access}`)
}

function roleOf(name: string): RegistryRole {
  // Who is restricted there sees no more than a viewer here.
  if (name === 'restricted_viewer') return 'viewer'
  if (name === 'admin' || name === 'member' || name === 'viewer') return name
  throw new GridError('invalid', `A role in a registry is admin, member or viewer, not ${name}`)
}
