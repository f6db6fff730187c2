/** Finding people, and what is done to them by id rather than by name. */
import { GridError, type User } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { Keys } from './keys.ts'
import { me } from './keys.ts'
import { reservedSlugs } from './people.ts'
import type { TeamsDeps } from './service.ts'
import {
  findUser,
  findUserByEmail,
  findUserById,
  isSlugTaken,
  listUsers,
  userOf,
  type UserRow,
} from './store.ts'

const foundMax = 100

export function createDirectory({ db, access }: TeamsDeps, keys: Keys) {
  /**
   * People whose username or e-mail address begins or ends so; who is meant exactly comes first. Admins of the
   * organisation find everybody, others the members of their own teams.
   */
  async function searchPeople(actor: Actor, search: string): Promise<User[]> {
    const wanted = search.trim().toLowerCase()
    const matches = ({ username, email }: { username: string; email: string | null }) =>
      [username, email ?? ''].some((text) => {
        const lower = text.toLowerCase()
        return lower.startsWith(wanted) || (lower !== '' && lower.endsWith(wanted))
      })
    const isExact = ({ username, email }: User) =>
      username.toLowerCase() === wanted || email?.toLowerCase() === wanted
    const found = (await within(actor, wanted)).filter(matches).map(userOf)
    return found.toSorted((a, b) => Number(isExact(b)) - Number(isExact(a))).slice(0, foundMax)
  }

  async function within(actor: Actor, wanted: string): Promise<UserRow[]> {
    if (await isOrganisationAdmin(actor)) {
      const exact = (await findUser(db, wanted)) ?? (wanted ? await findUserByEmail(db, wanted) : undefined)
      const rows = await listUsers(db, { limit: 1000, ...(wanted ? { search: wanted } : {}) })
      return exact && !rows.some(({ id }) => id === exact.id) ? [exact, ...rows] : rows
    }
    const self = await findUserById(db, me(actor))
    const teamIds = await access.visibleTeamIds(actor)
    const mates =
      teamIds.length === 0
        ? []
        : await db
            .selectFrom('users')
            .selectAll()
            .where('id', 'in', (eb) =>
              eb.selectFrom('memberships').select('user_id').where('team_id', 'in', teamIds),
            )
            .orderBy('username')
            .execute()
    return self && !mates.some(({ id }) => id === self.id) ? [self, ...mates] : mates
  }

  async function isOrganisationAdmin(actor: Actor): Promise<boolean> {
    return (await access.refusalInOrganisation(actor, 'org:users')) === undefined
  }

  /** One's own key, or anybody's for an admin of the organisation. @throws GridError not_found otherwise */
  async function revokeKeyById(actor: Actor, keyId: string): Promise<void> {
    const key = await db.selectFrom('api_keys').select('user_id').where('id', '=', keyId).executeTakeFirst()
    const owner = key && key.user_id !== actor.userId ? await findUserById(db, key.user_id) : undefined
    if (owner && (await isOrganisationAdmin(actor))) return keys.revokeKeyOf(actor, owner.username, keyId)
    return keys.revokeMyKey(actor, keyId)
  }

  /** Where somebody belongs, for those who may look after people. @throws GridError forbidden */
  async function teamsOf(actor: Actor, username: string): Promise<string[]> {
    await access.proveInOrganisation(actor, 'org:users')
    const rows = await db
      .selectFrom('memberships')
      .innerJoin('teams', 'teams.id', 'memberships.team_id')
      .innerJoin('users', 'users.id', 'memberships.user_id')
      .select('teams.slug')
      .where('users.username', '=', username)
      .orderBy('teams.slug')
      .execute()
    return rows.map(({ slug }) => slug)
  }

  /** Somebody to invite by name; who is not there is not found. */
  async function emailOf(username: string): Promise<string> {
    const user = await findUser(db, username)
    if (user?.kind !== 'person' || !user.email)
      throw new GridError('not_found', `There is no person ${username}`)
    return user.email
  }

  /** Neither a person, nor a team, nor a word of our addresses has it. */
  async function isNameFree(name: string): Promise<boolean> {
    return !reservedSlugs.has(name.toLowerCase()) && !(await isSlugTaken(db, name))
  }

  return { isNameFree, searchPeople, revokeKeyById, teamsOf, emailOf, isOrganisationAdmin }
}
