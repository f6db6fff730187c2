/** Where things are: people, entities (our teams) and projects, as the client reads and makes them. */
import { type ApiKey, GridError, type Member } from '@teamgrid/api'
import type { Access } from '../../access.ts'
import type { Actor } from '../../actor.ts'
import type { Artifacts } from '../../artifacts/service.ts'
import type { Teams } from '../../teams/service.ts'
import type { Resolvers, WandbContext } from '../graphql.ts'
import { numberedId, projectInternalId, storageId } from '../words.ts'
import type { FreshKeys } from './administration.ts'
import { type PageArguments, pageOf } from './connections.ts'

export type UserNode = { username: string; name: string; email?: string | null; admin?: boolean }
export type EntityNode = {
  id: string
  slug: string
  name: string
  kind: 'team' | 'personal' | 'organisation'
}
export type ProjectNode = {
  id: string
  name: string
  teamSlug: string
  description: string
  createdAt: Date | string
  /** Left out in lists, where nobody asks for it. */
  number?: number
}

type UpsertModelInput = { name?: string | null; entityName?: string | null; description?: string | null }

export type Places = ReturnType<typeof createPlaces>

/** What other resolvers need to know about places. Unreadable and absent are the same here: undefined. */
export function createPlaces({
  access,
  teams,
  artifacts,
}: {
  access: Access
  teams: Teams
  artifacts: Pick<Artifacts, 'findOrganisation' | 'findRegistryProject'>
}) {
  async function findEntity(actor: Actor, name: string | null | undefined): Promise<EntityNode | undefined> {
    const slug = name || defaultEntity(actor)
    if (!slug) return undefined
    const team = await readable(access.allowed(actor, 'team:read', teams.teamGuard(slug)))
    if (team) return { id: team.id, slug: team.slug, name: team.name, kind: team.teamKind }
    const organisation = await artifacts.findOrganisation(actor, slug)
    return organisation && { ...organisation, kind: 'organisation' }
  }

  async function findProject(
    actor: Actor,
    entityName: string | null | undefined,
    name: string | null | undefined,
  ) {
    const slug = entityName || defaultEntity(actor)
    if (!slug || !name) return undefined
    const found = await readable(access.allowed(actor, 'project:read', teams.findProjectGuard(slug, name)))
    return found ?? (await artifacts.findRegistryProject(actor, slug, name))
  }

  return { findEntity, findProject }
}

/** The slug of the team that gets what names none. */
export function defaultEntity(actor: Actor): string | undefined {
  return actor.defaultTeamId === null ? undefined : actor.memberships.get(actor.defaultTeamId)?.slug
}

/** @throws GridError invalid for who has none, such as the operator. */
export function entityOf(actor: Actor, name: string | null | undefined): string {
  const slug = name || defaultEntity(actor)
  if (!slug) throw new GridError('invalid', 'Name an entity: you have no default one')
  return slug
}

export async function readable<Thing>(thing: Promise<Thing>): Promise<Thing | undefined> {
  try {
    return await thing
  } catch (error) {
    if (error instanceof GridError && error.code === 'not_found') return undefined
    throw error
  }
}

export function placeResolvers({
  teams,
  places,
  freshKeys,
}: {
  teams: Teams
  places: Places
  freshKeys: FreshKeys
}): Resolvers {
  const project = (_: unknown, args: { name?: string; entityName?: string }, { actor }: WandbContext) =>
    places.findProject(actor, args.entityName, args.name)
  const projects = async (
    _: unknown,
    { entityName, ...page }: { entityName?: string } & PageArguments,
    { actor }: WandbContext,
  ) => pageOf(await listProjects(actor, entityOf(actor, entityName)), page)

  async function listProjects(actor: Actor, slug: string): Promise<ProjectNode[]> {
    const found = await readable(teams.listProjects(actor, slug))
    return (found ?? []).map((row) => ({ ...row, teamSlug: row.team }))
  }

  /** What an admin of the organisation sees of somebody else, and nobody besides. */
  async function ofOthers<Thing>(actor: Actor, read: () => Promise<Thing>): Promise<Thing | null> {
    return (await teams.isOrganisationAdmin(actor)) ? await read() : null
  }

  /** Open invitations by e-mail, for those who may see them. */
  async function invited(actor: Actor, slug: string) {
    const found = await teams.listInvitations(actor, slug).catch((error: unknown) => {
      if (error instanceof GridError) return []
      throw error
    })
    return found
      .filter(({ state, email }) => state === 'pending' && email !== null)
      .map(({ id, email, role }) => ({
        ...memberNode({ userId: id, username: '', name: email!, email, role, kind: 'person', joinedAt: '' }),
        id: storageId('Invite', id),
        username: null,
        pending: true,
      }))
  }

  async function numberOf({ number, teamSlug, name }: ProjectNode): Promise<number> {
    const known = number ?? (await teams.findProjectGuard(teamSlug, name))?.number
    if (known === undefined) throw new GridError('not_found')
    return known
  }

  return {
    Query: {
      viewer: (_: unknown, __: unknown, { actor }) => viewer(teams, actor),
      entity: (_: unknown, { name }: { name?: string }, { actor }) => places.findEntity(actor, name),
      project,
      model: project,
      projects,
      models: projects,
    },
    Mutation: {
      async upsertModel(_: unknown, { input }: { input: UpsertModelInput }, { actor }) {
        const { slug, name, description } = {
          slug: entityOf(actor, input.entityName),
          name: input.name,
          description: input.description ?? undefined,
        }
        if (!name) throw new GridError('invalid', 'Name the project')
        const existing = await places.findProject(actor, slug, name)
        if (existing) {
          if (description !== undefined && description !== existing.description) {
            await teams.changeProject(actor, slug, name, description)
          }
        } else {
          await teams.createProject(actor, slug, { name, description })
        }
        const model = await places.findProject(actor, slug, name)
        return { model, project: model, inserted: !existing }
      },
      async generateApiKey(_: unknown, { input }: { input: { description?: string | null } }, { actor }) {
        const key = await teams.createMyKey(actor, input.description || 'made by a script')
        // Only here the name is the whole secret; lists show a shortened one.
        return { apiKey: { id: storageId('ApiKey', key.id), name: key.secret, description: key.name } }
      },
    },
    User: {
      id: (user: UserNode) => numberedId('User', user.username),
      email: ({ email }: UserNode) => email ?? null,
      admin: ({ admin }: UserNode) => admin ?? false,
      photoUrl: () => null,
      deletedAt: () => null,
      // A JSON string by contract. Told to save no code the client saves none, unless its script insists; what is not
      // told it decides itself. Source: wandb/sdk/wandb_setup.py (_load_user_settings).
      flags: async ({ username }: UserNode, _: unknown, { actor }) => {
        const teamId = username === actor.username ? actor.defaultTeamId : null
        const isOff = teamId !== null && !(await teams.savesCode(teamId))
        return JSON.stringify(isOff ? { code_saving_enabled: false } : {})
      },
      ...ofViewer('entity', (actor) => defaultEntity(actor) ?? null),
      teams: async ({ username }: UserNode, _: unknown, { actor }) =>
        username === actor.username
          ? pageOf(
              [...actor.memberships].map(([id, { slug, kind }]) => ({ id, slug, name: slug, kind })),
              {},
            )
          : await ofOthers(actor, async () => {
              const slugs = await teams.teamsOf(actor, username)
              return pageOf(
                slugs.map((slug) => ({ id: slug, slug, name: slug, kind: 'team' as const })),
                {},
              )
            }),
      apiKeys: async ({ username }: UserNode, _: unknown, { actor }) => {
        const shown = (keys: ApiKey[]) =>
          pageOf(
            keys.map((key) => ({
              id: storageId('ApiKey', key.id),
              name: shortened(key),
              description: key.name,
            })),
            {},
          )
        if (username !== actor.username)
          return await ofOthers(actor, async () => shown(await teams.keysOf(actor, username)))
        return shown(actor.kind === 'person' ? await teams.myKeys(actor) : [])
      },
      organizations: () => [],
    },
    Entity: {
      id: ({ slug }: EntityNode) => numberedId('Entity', slug),
      name: ({ slug }: EntityNode) => slug,
      isTeam: ({ kind }: EntityNode) => kind === 'team',
      entityType: ({ kind }: EntityNode) => (kind === 'team' ? 'team' : 'user'),
      available: () => true,
      photoUrl: () => null,
      limits: () => ({}),
      readOnly: () => false,
      readOnlyAdmin: () => false,
      privateOnly: () => true,
      // Not counted yet; the client only shows it.
      storageBytes: () => 0,
      codeSavingEnabled: ({ id, kind }: EntityNode) => kind === 'organisation' || teams.savesCode(id),
      defaultAccess: () => 'PRIVATE',
      isPaid: () => true,
      members: async ({ slug }: EntityNode, _: unknown, { actor }) =>
        // The client takes the last one for the service account it has just made, so who is only invited comes first.
        [
          ...(await invited(actor, slug)),
          ...(await teams.members(actor, slug)).map((member) => ({
            ...memberNode(member),
            apiKey: freshKeys.take(actor, member.userId),
          })),
        ],
      organization: () => null,
      user: ({ kind, slug }: EntityNode, _: unknown, { actor }) =>
        kind === 'personal' && slug === actor.username ? viewer(teams, actor) : null,
      project: ({ slug }: EntityNode, { name }: { name?: string }, { actor }) =>
        places.findProject(actor, slug, name),
      projects: async ({ slug }: EntityNode, page: PageArguments, { actor }) =>
        pageOf(await listProjects(actor, slug), page),
      xxhashDigestsEnabled: () => true,
    },
    Project: {
      id: ({ id }: ProjectNode) => storageId('Project', id),
      internalId: async (node: ProjectNode) => projectInternalId(await numberOf(node)),
      entityName: ({ teamSlug }: ProjectNode) => teamSlug,
      entity: ({ teamSlug }: ProjectNode) => teams.findTeam(teamSlug),
      access: () => 'PRIVATE',
      views: () => null,
      repo: () => null,
      dockerImage: () => null,
      isBenchmark: () => false,
      readOnly: () => false,
      updatedAt: async ({ teamSlug, name }: ProjectNode, _: unknown, { actor }) =>
        (await teams.getProject(actor, teamSlug, name)).updatedAt,
      user: async ({ teamSlug, name }: ProjectNode, _: unknown, { actor }) =>
        (await teams.getProject(actor, teamSlug, name)).createdBy,
    },
  }
}

async function viewer(teams: Teams, actor: Actor): Promise<UserNode | null> {
  // The operator is nobody, and only a user can be looked at.
  if (actor.userId === null) return null
  const { user } = await teams.getMe(actor)
  return {
    username: user.username,
    name: user.name,
    email: user.email,
    admin: actor.organisationRole === 'admin',
  }
}

/** A field that only the caller sees of themselves; null on everybody else. */
function ofViewer(field: string, read: (actor: Actor) => unknown) {
  return {
    [field]: (user: UserNode, _: unknown, { actor }: WandbContext) =>
      user.username === actor.username ? read(actor) : null,
  }
}

/** Scripts look for the key that they use by its beginning. */
function shortened({ start, hint }: ApiKey): string {
  return start || `…${hint}`
}

const accountTypes = { admin: 'USER', member: 'USER', viewer: 'VIEWER', service: 'SERVICE' } as const

function memberNode(member: Member) {
  return {
    id: storageId('Member', member.userId),
    username: member.username,
    name: member.name,
    email: member.email,
    admin: member.role === 'admin',
    pending: false,
    photoUrl: null,
    accountType: accountTypes[member.role],
    apiKey: null as string | null,
    role: member.role,
  }
}
