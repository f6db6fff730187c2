/** Accounts for automation inside one team: they have keys and no sign-in. */
import { type ApiKey, GridError, type Member } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import type { Keys } from './keys.ts'
import { insertMembership } from './memberships.ts'
import { claimSlug } from './people.ts'
import type { TeamsDeps } from './service.ts'
import { createTeamSettings } from './settings.ts'
import * as store from './store.ts'

export function createServiceAccounts(deps: TeamsDeps, keys: Keys) {
  const { db, access, events, clock } = deps
  const { teamGuard } = createTeamSettings(deps)

  async function createServiceAccount(
    actor: Actor,
    slug: string,
    input: { username: string; name?: string },
  ) {
    const team = await access.allowed(actor, 'service:create', teamGuard(slug))
    if (team.teamKind === 'personal')
      throw new GridError('invalid', 'A personal team has no service accounts')
    const id = newId()
    const now = clock.now()
    const key = await db.transaction().execute(async (trx) => {
      await claimSlug(trx, input.username)
      await trx
        .insertInto('users')
        .values({
          id,
          username: input.username,
          name: input.name?.trim() || input.username,
          email: null,
          kind: 'service',
          default_team_id: team.id,
          created_at: now,
        })
        .execute()
      await insertMembership(trx, team.id, id, 'service', now)
      await record(trx, actor, 'service:create', {
        teamId: team.id,
        kind: 'user',
        id,
        details: { username: input.username },
      })
      return keys.insertKey(trx, actor, id, 'First key')
    })
    events.publish({ type: 'team.changed', teamId: team.id })
    const member = (await store.listMembers(db, team.id)).find((each) => each.userId === id)!
    return { member, key }
  }

  async function serviceKeys(actor: Actor, slug: string, username: string): Promise<ApiKey[]> {
    return store.listKeys(db, (await serviceAccount(actor, 'service:create', slug, username)).userId)
  }

  async function createServiceKey(actor: Actor, slug: string, username: string, name: string) {
    const member = await serviceAccount(actor, 'service:create', slug, username)
    return db.transaction().execute((trx) => keys.insertKey(trx, actor, member.userId, name))
  }

  async function revokeServiceKey(
    actor: Actor,
    slug: string,
    username: string,
    keyId: string,
  ): Promise<void> {
    await keys.revoke(actor, (await serviceAccount(actor, 'service:revoke', slug, username)).userId, keyId)
  }

  /** A new key of the same name for the old one, in one step: at no time do both work, or neither. */
  async function rotateServiceKey(actor: Actor, slug: string, username: string, keyId: string) {
    const { userId } = await serviceAccount(actor, 'service:revoke', slug, username)
    return db.transaction().execute(async (trx) => {
      const old = (await store.listKeys(trx, userId)).find((key) => key.id === keyId)
      if (!old) throw new GridError('not_found')
      await keys.revokeIn(trx, actor, userId, keyId)
      return keys.insertKey(trx, actor, userId, old.name)
    })
  }

  async function serviceAccount(
    actor: Actor,
    action: 'service:create' | 'service:revoke',
    slug: string,
    username: string,
  ): Promise<Member> {
    const team = await access.allowed(actor, action, teamGuard(slug))
    const member = (await store.listMembers(db, team.id)).find(
      (each) => each.username.toLowerCase() === username.toLowerCase(),
    )
    if (!member) throw new GridError('not_found', `${username} is not in team ${team.slug}`)
    if (member.kind !== 'service') throw new GridError('not_found', `${username} is not a service account`)
    return member
  }

  return { createServiceAccount, serviceKeys, createServiceKey, revokeServiceKey, rotateServiceKey }
}
