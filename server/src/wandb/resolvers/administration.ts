/** People, teams, keys and projects, as `wandb.Api()` looks after them. */
import { GridError, Slug } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import { randomText } from '../../lib/ids.ts'
import type { Teams } from '../../teams/service.ts'
import type { Resolvers } from '../graphql.ts'
import { parseObject, readStorageId, storageId } from '../words.ts'
import { type PageArguments, pageOf } from './connections.ts'
import { entityOf, type Places, readable, type UserNode } from './places.ts'

type Deps = { teams: Teams; places: Places; freshKeys: FreshKeys }
type InviteInput = {
  entityName: string
  email?: string | null
  username?: string | null
  admin?: boolean | null
}
type ChartInput = {
  entity: string
  name: string
  displayName: string
  type: string
  access: string
  spec: string
}
type RenameInput = { entityName: string; oldProjectName: string; newProjectName: string }
type Input<Fields> = { input: Fields }

const inviteDays = 14

export type FreshKeys = ReturnType<typeof createFreshKeys>

/**
 * Keys of service accounts that were just made: the client makes an account in one request and reads its key from the
 * list of members in the next. Who made it gets it once, within a minute; it is stored nowhere.
 */
export function createFreshKeys(now: () => number = Date.now) {
  const ageMsMax = 60_000
  const countMax = 100
  const keys = new Map<string, { secret: string; at: number }>()
  const nameOf = (actor: Actor, userId: string) => `${actor.via} ${actor.userId} ${userId}`
  return {
    put(actor: Actor, userId: string, secret: string): void {
      keys.set(nameOf(actor, userId), { secret, at: now() })
      if (keys.size > countMax) keys.delete(keys.keys().next().value!)
    },
    take(actor: Actor, userId: string): string | null {
      const name = nameOf(actor, userId)
      const found = keys.get(name)
      keys.delete(name)
      return found && now() - found.at < ageMsMax ? found.secret : null
    },
  }
}

export function administrationResolvers({ teams, places, freshKeys }: Deps): Resolvers {
  return {
    Query: {
      users: async (_: unknown, { query }: { query?: string | null }, { actor }) =>
        pageOf((await teams.searchPeople(actor, query ?? '')).map(userNode), {}),
    },
    Mutation: {
      async createUser(_: unknown, { input }: Input<{ email: string; admin?: boolean | null }>, { actor }) {
        const user = await teams.createUser(actor, {
          username: await freeName(input.email.split('@')[0] ?? ''),
          email: input.email,
          admin: input.admin ?? false,
        })
        return { user: userNode(user) }
      },
      async updateUser(
        _: unknown,
        { input }: Input<{ defaultEntity?: string | null; name?: string | null }>,
        { actor },
      ) {
        const { user } = await teams.changeMe(actor, {
          ...(input.defaultEntity ? { defaultTeam: input.defaultEntity } : {}),
          ...(input.name ? { name: input.name } : {}),
        })
        return { user: userNode(user) }
      },
      async deleteApiKey(_: unknown, { input }: Input<{ id: string }>, { actor }) {
        const id = readStorageId('ApiKey', input.id)
        if (id === undefined) throw new GridError('not_found')
        await teams.revokeKeyById(actor, id)
        return { success: true }
      },
      async createTeam(
        _: unknown,
        { input }: Input<{ teamName: string; teamAdminUserName?: string | null }>,
        { actor },
      ) {
        const slug = Slug.safeParse(input.teamName)
        if (!slug.success) throw new GridError('invalid', slug.error.issues[0]!.message)
        await teams.createTeam(actor, {
          slug: slug.data,
          ...(input.teamAdminUserName ? { admin: input.teamAdminUserName } : {}),
        })
        // Read as the one who made it is from now on.
        const guard = await teams.teamGuard(slug.data)
        return { entity: guard && { ...guard, kind: guard.teamKind } }
      },
      async createInvite(_: unknown, { input }: Input<InviteInput>, { actor }) {
        const { entityName: slug, email, username } = input
        const role = input.admin ? 'admin' : 'member'
        if (!email && !username) throw new GridError('invalid', 'Name a person or an e-mail address')
        // Who looks after everybody asks nobody.
        if (username && (await teams.isOrganisationAdmin(actor))) {
          const member = await teams.addMember(actor, slug, username, role)
          return {
            invite: {
              id: storageId('Member', member.userId),
              name: member.name,
              email: member.email,
              createdAt: member.joinedAt,
              toUser: { username: member.username, name: member.name },
            },
          }
        }
        // Before the person is looked up: who may not invite learns nothing of who is there.
        await teams.listInvitations(actor, slug)
        const members = await teams.members(actor, slug)
        if (members.some((member) => isMeant(member, input)))
          throw new GridError('conflict', 'They are in this team already')
        const invitation = await teams.invite(actor, slug, {
          email: email || (await teams.emailOf(username!)),
          role,
          expiresInDays: inviteDays,
        })
        return {
          invite: {
            id: storageId('Invite', invitation.id),
            name: username ?? email,
            email: email ?? null,
            createdAt: invitation.createdAt,
            toUser: username ? { username, name: username } : null,
          },
        }
      },
      async deleteInvite(
        _: unknown,
        { input }: Input<{ id?: string | null; entityName?: string | null }>,
        { actor },
      ) {
        const slug = entityOf(actor, input.entityName)
        const given = input.id ?? ''
        const invitationId = readStorageId('Invite', given)
        if (invitationId !== undefined) {
          await teams.revokeInvitation(actor, slug, invitationId)
          return { success: true }
        }
        const userId = readStorageId('Member', given)
        const members = await teams.members(actor, slug)
        const member = members.find((each) => each.userId === userId)
        if (!member) throw new GridError('not_found', 'There is no such member or invitation')
        await teams.removeMember(actor, slug, member.username)
        return { success: true }
      },
      async createServiceAccount(
        _: unknown,
        { input }: Input<{ entityName: string; description: string }>,
        { actor },
      ) {
        const { member, key } = await teams.createServiceAccount(actor, input.entityName, {
          username: await freeName(input.description),
          name: input.description,
        })
        freshKeys.put(actor, member.userId, key.secret)
        return { user: userNode(member) }
      },
      async renameProject(_: unknown, { input }: Input<RenameInput>, { actor }) {
        const { team, name } = await teams.renameProject(
          actor,
          input.entityName,
          input.oldProjectName,
          input.newProjectName,
        )
        return { project: await places.findProject(actor, team, name), inserted: false }
      },
      async deleteModel(_: unknown, { input }: Input<{ id: string }>, { actor }) {
        const id = readStorageId('Project', input.id)
        const project = id && (await teams.findProjectById(id))
        if (!project) throw new GridError('not_found')
        await teams.deleteProject(actor, project.teamSlug, project.name)
        return { success: true }
      },
      async createCustomChart(_: unknown, { input }: Input<ChartInput>, { actor }) {
        if (input.access !== 'private' && input.access !== 'public')
          throw new GridError('invalid', 'access is "private" or "public"')
        const { id } = await teams.createChart(actor, input.entity, {
          name: input.name,
          displayName: input.displayName,
          kind: input.type,
          isPublic: input.access === 'public',
          spec: parseObject(input.spec, 'spec'),
        })
        return { chart: { id: storageId('CustomChart', id) } }
      },
    },
    User: {
      projects: async (user: UserNode, page: PageArguments, { actor }) => {
        if (user.username !== actor.username) return null
        const slugs = [...actor.memberships.values()].map(({ slug }) => slug)
        const lists = await Promise.all(slugs.map((slug) => readable(teams.listProjects(actor, slug))))
        return pageOf(
          lists.flatMap((list) => (list ?? []).map((row) => ({ ...row, teamSlug: row.team }))),
          page,
        )
      },
    },
  }

  /** A username that nobody has, as near to the wish as one may be. */
  async function freeName(wish: string): Promise<string> {
    const plain = wish
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40)
    if (plain && (await teams.isNameFree(plain))) return plain
    return `${plain || 'someone'}-${randomText(6)}`
  }
}

function userNode(user: {
  username: string
  name: string
  email: string | null
  organisationRole?: string
}): UserNode {
  return {
    username: user.username,
    name: user.name,
    email: user.email,
    admin: user.organisationRole === 'admin',
  }
}

function isMeant(member: { username: string; email: string | null }, { email, username }: InviteInput) {
  const same = (left: string | null, right: string | null | undefined) =>
    left !== null && right != null && left.toLowerCase() === right.toLowerCase()
  return same(member.username, username) || same(member.email, email)
}
