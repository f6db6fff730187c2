/** The organisation over its teams: plan and seats without any payment, what it fixes for all teams, wishes for teams. */
import {
  type BillingInfo,
  GridError,
  isPolicyKey,
  isPolicyValue,
  type Plan,
  type PolicyLocks,
  type PolicySwitches,
  type TeamRequest,
  type Team,
} from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import { record } from '../activity.ts'
import { subjectOf } from '../access.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { addressPattern } from '../mail/mailer.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { me, wholly } from './keys.ts'
import { reservedSlugs } from './people.ts'
import { countSeats } from './seats.ts'
import type { TeamsDeps } from './service.ts'
import { createTeamSettings, presentTeams } from './settings.ts'
import * as store from './store.ts'

/** Open wishes of one person; more is noise. */
const openRequestsMax = 5

export function createOrganisation(deps: TeamsDeps) {
  const { db, access, events, clock, mail } = deps
  const { insertTeam } = createTeamSettings(deps)

  /** Everybody in the organisation sees the plan; billing information is for those who keep it. */
  async function plan(actor: Actor): Promise<Plan> {
    refuseOutsiders(actor)
    const row = await db.selectFrom('instance').selectAll().executeTakeFirstOrThrow()
    const seats = await countSeats(db)
    const { rows } = await sql<Record<string, string>>`select
      (select count(*) from teams where kind = 'team') as teams,
      (select count(*) from projects) as projects,
      (select count(*) from experiments where deleted_at is null) as experiments,
      (select count(*) from invitations where accepted_at is null and revoked_at is null
        and expires_at > ${clock.now()} and role <> 'viewer') as invited,
      (select coalesce(sum(size_bytes), 0) from files)
        + (select coalesce(sum(size_bytes), 0) from artifact_blobs) as bytes`.execute(db)
    const counts = rows[0]!
    const billingUser = row.billing_user_id ? await store.findUserById(db, row.billing_user_id) : undefined
    const mayReadBilling = (await access.refusalInOrganisation(actor, 'billing:read')) === undefined
    const admins = await db
      .selectFrom('users')
      .select('username')
      .where('organisation_role', '=', 'admin')
      .where('disabled_at', 'is', null)
      .orderBy('username')
      .limit(20)
      .execute()
    return {
      organisation: row.organisation_name,
      name: row.plan_name,
      trial:
        row.trial_ends_at === null
          ? null
          : {
              endsAt: row.trial_ends_at.toISOString(),
              state: row.trial_ends_at > clock.now() ? 'running' : 'ended',
            },
      seats: { ...seats, max: row.seats_max, invited: Number(counts.invited) },
      teams: Number(counts.teams),
      projects: Number(counts.projects),
      experiments: Number(counts.experiments),
      storedBytes: Number(counts.bytes),
      billingUser: billingUser ? { username: billingUser.username, name: billingUser.name } : null,
      billing: mayReadBilling ? (row.billing_info as BillingInfo) : null,
      admins: admins.map((each) => each.username),
      contactUrl: row.contact_url,
    }
  }

  async function changePlan(
    actor: Actor,
    change: {
      name?: string
      seats?: number | null
      trialEndsAt?: string | null
      billingUser?: string | null
      contactUrl?: string | null
    },
  ): Promise<Plan> {
    await access.proveInOrganisation(actor, 'billing:edit-plan')
    await db.transaction().execute(async (trx) => {
      const set = {
        ...(change.name === undefined ? {} : { plan_name: change.name }),
        ...(change.seats === undefined ? {} : { seats_max: change.seats }),
        ...(change.trialEndsAt === undefined ? {} : { trial_ends_at: change.trialEndsAt }),
        ...(change.contactUrl === undefined ? {} : { contact_url: change.contactUrl }),
        ...(change.billingUser === undefined
          ? {}
          : { billing_user_id: await appoint(trx, change.billingUser) }),
      }
      if (Object.keys(set).length === 0) return
      await trx.updateTable('instance').set(set).execute()
      await record(trx, actor, 'billing:edit-plan', { ...theOrganisation, details: change })
    })
    return plan(actor)
  }

  /** The billing user, who is no admin, gets the role that goes with it; who was it before loses it. */
  async function appoint(trx: Kysely<Database>, username: string | null): Promise<string | null> {
    const user = username === null ? undefined : await store.findUser(trx, username)
    if (username !== null && (user?.kind !== 'person' || user.disabled_at))
      throw new GridError('not_found', `There is no person ${username}`)
    await trx
      .updateTable('users')
      .set({ organisation_role: 'member' })
      .where('organisation_role', '=', 'billing')
      .execute()
    if (user?.organisation_role === 'member' || user?.organisation_role === 'billing') {
      await trx.updateTable('users').set({ organisation_role: 'billing' }).where('id', '=', user.id).execute()
    }
    return user?.id ?? null
  }

  async function changeBilling(actor: Actor, info: BillingInfo): Promise<Plan> {
    await access.proveInOrganisation(actor, 'billing:edit-info')
    await db.transaction().execute(async (trx) => {
      const { billing_info: before } = await trx
        .selectFrom('instance')
        .select('billing_info')
        .forUpdate()
        .executeTakeFirstOrThrow()
      await trx
        .updateTable('instance')
        .set({ billing_info: JSON.stringify({ ...before, ...info }) })
        .execute()
      await record(trx, actor, 'billing:edit-info', {
        ...theOrganisation,
        details: { changed: Object.keys(info) },
      })
    })
    return plan(actor)
  }

  async function locks(actor: Actor): Promise<PolicyLocks> {
    refuseOutsiders(actor)
    return { locks: known(await access.policyLocks()) }
  }

  async function setLocks(actor: Actor, { locks: wanted }: PolicyLocks): Promise<PolicyLocks> {
    await access.proveInOrganisation(actor, 'policy:lock')
    for (const [key, value] of Object.entries(wanted)) {
      if (!isPolicyKey(key)) throw new GridError('invalid', `There is no policy switch "${key}"`)
      if (!isPolicyValue(key, value))
        throw new GridError('invalid', `"${String(value)}" does not fit the switch ${key}`)
    }
    await db.transaction().execute(async (trx) => {
      const { policy_locks: before } = await trx
        .selectFrom('instance')
        .select('policy_locks')
        .forUpdate()
        .executeTakeFirstOrThrow()
      await trx
        .updateTable('instance')
        .set({ policy_locks: JSON.stringify(wanted) })
        .execute()
      await record(trx, actor, 'policy:lock', { ...theOrganisation, details: { from: before, to: wanted } })
    })
    access.forgetLocks()
    const teams = await db.selectFrom('teams').select('id').where('kind', '=', 'team').execute()
    for (const { id } of teams) events.publish({ type: 'team.changed', teamId: id })
    return { locks: wanted }
  }

  async function requestTeam(
    actor: Actor,
    input: { slug: string; name?: string; reason?: string },
  ): Promise<TeamRequest> {
    const userId = wholly(actor)
    refuseOutsiders(actor)
    if ((await access.refusalInOrganisation(actor, 'team:create')) === undefined)
      throw new GridError('invalid', 'You may make teams yourself')
    if (reservedSlugs.has(input.slug.toLowerCase()) || (await store.isSlugTaken(db, input.slug)))
      throw new GridError('conflict', `The name "${input.slug}" is taken; choose another`)
    const id = newId()
    await db.transaction().execute(async (trx) => {
      const open = await store.listTeamRequests(trx, { requestedBy: userId, onlyOpen: true })
      if (open.some((each) => each.slug.toLowerCase() === input.slug.toLowerCase()))
        throw new GridError('conflict', `You have asked for ${input.slug} already`)
      if (open.length >= openRequestsMax)
        throw new GridError('conflict', `You have ${openRequestsMax} open requests already`)
      await trx
        .insertInto('team_requests')
        .values({
          id,
          slug: input.slug,
          name: input.name?.trim() || input.slug,
          reason: input.reason ?? '',
          requested_by: userId,
          created_at: clock.now(),
        })
        .execute()
      await record(trx, actor, 'team:request', {
        teamId: null,
        kind: 'team-request',
        id,
        details: { slug: input.slug },
      })
      await writeToAdmins(trx, actor, input)
    })
    mail.wake()
    return (await store.listTeamRequests(db, { id }))[0]!
  }

  /** Who decides hears of it; without a mail server it waits on their page. */
  async function writeToAdmins(
    trx: Kysely<Database>,
    actor: Actor,
    { slug, reason }: { slug: string; reason?: string },
  ): Promise<void> {
    const admins = await trx
      .selectFrom('users')
      .select('email')
      .where('organisation_role', '=', 'admin')
      .where('disabled_at', 'is', null)
      .where('email', 'is not', null)
      .limit(20)
      .execute()
    for (const { email } of admins) {
      // An address that no mail can go to must not keep anybody from asking.
      if (!addressPattern.test(email!)) continue
      await mail.enqueue(trx, email!, {
        subject: `${actor.username} asks for team ${slug}`,
        paragraphs: [
          `${actor.name || actor.username} asks for a team called ${slug}.`,
          ...(reason ? [reason] : []),
        ],
        button: { label: 'Grant or decline', url: `${actor.origin}/admin` },
      })
    }
  }

  async function teamRequests(actor: Actor): Promise<TeamRequest[]> {
    refuseOutsiders(actor)
    const isAdmin = (await access.refusalInOrganisation(actor, 'org:teams')) === undefined
    return store.listTeamRequests(db, isAdmin ? {} : { requestedBy: me(actor) })
  }

  async function grantTeam(actor: Actor, requestId: string): Promise<Team> {
    await access.proveInOrganisation(actor, 'org:users')
    await access.proveInOrganisation(actor, 'team:create')
    const teamId = await db.transaction().execute(async (trx) => {
      const request = await openRequest(trx, requestId)
      const id = await insertTeam(trx, actor, {
        slug: request.slug,
        name: request.name,
        adminId: request.requested_by,
      })
      await trx
        .updateTable('team_requests')
        .set({ decided_at: clock.now(), decided_by: actor.userId, granted: true, team_id: id })
        .where('id', '=', requestId)
        .execute()
      return id
    })
    events.publish({ type: 'team.changed', teamId })
    const [team] = await presentTeams(db, [teamId], actor.userId, await access.policyLocks())
    return team!
  }

  async function declineTeam(actor: Actor, requestId: string, note = ''): Promise<void> {
    await db.transaction().execute(async (trx) => {
      const found = await trx
        .selectFrom('team_requests')
        .select('requested_by')
        .where('id', '=', requestId)
        .executeTakeFirst()
      const isMine = found !== undefined && found.requested_by === actor.userId
      if (!isMine) await access.proveInOrganisation(actor, 'org:users')
      await openRequest(trx, requestId)
      await trx
        .updateTable('team_requests')
        .set({ decided_at: clock.now(), decided_by: actor.userId, granted: false, note })
        .where('id', '=', requestId)
        .execute()
      await record(trx, actor, 'team:decline', { teamId: null, kind: 'team-request', id: requestId })
    })
  }

  return {
    plan,
    changePlan,
    changeBilling,
    locks,
    setLocks,
    requestTeam,
    teamRequests,
    grantTeam,
    declineTeam,
  }
}

const theOrganisation = { teamId: null, kind: 'organisation', id: 'organisation' }

/** @throws GridError not_found, conflict */
async function openRequest(trx: Kysely<Database>, requestId: string) {
  const request = await trx
    .selectFrom('team_requests')
    .selectAll()
    .where('id', '=', requestId)
    .forUpdate()
    .executeTakeFirst()
  if (!request) throw new GridError('not_found')
  if (request.decided_at) throw new GridError('conflict', 'This request was decided already')
  return request
}

/** People of the organisation and the operator; a service account knows its team and nothing above it. */
function refuseOutsiders(actor: Actor): void {
  const { orgRole, isOperator, keyScope } = subjectOf(actor, { teamId: null })
  if (keyScope !== undefined && keyScope !== 'user') throw new GridError('not_found')
  if (!orgRole && !isOperator) throw new GridError('not_found')
}

/** Only what this version knows; stored locks outlive the code that wrote them. */
function known(locks: Partial<PolicySwitches>): Record<string, boolean | string> {
  return Object.fromEntries(
    Object.entries(locks).filter(([key, value]) => isPolicyKey(key) && isPolicyValue(key, value)),
  )
}
