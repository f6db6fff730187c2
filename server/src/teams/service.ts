import type { TeamRole } from '@teamgrid/api'
import type { Kysely } from 'kysely'
import type { Deeds } from '../activity.ts'
import type { Access } from '../access.ts'
import type { Events } from '../events.ts'
import type { Clock } from '../lib/clock.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { adoptPerson } from './adopt.ts'
import { createAudit } from './audit.ts'
import { createActors } from './actors.ts'
import { createCharts } from './charts.ts'
import type { Identity } from './identity.ts'
import { createDirectory } from './directory.ts'
import { createKeys } from './keys.ts'
import { createInvitations } from './invitations.ts'
import type { Mail } from './mail.ts'
import { createMembers } from './members.ts'
import { createOrganisation } from './organisation.ts'
import { claimSlug, createPeople } from './people.ts'
import { createProjects } from './projects.ts'
import { createServiceAccounts } from './service-accounts.ts'
import type { SsoSettingsStore } from './sso-settings.ts'
import { createTeamSettings } from './settings.ts'
import { createVisibility } from './visibility.ts'

export type TeamsDeps = {
  db: Kysely<Database>
  access: Access
  identity: Identity
  ssoSettings: SsoSettingsStore
  events: Events
  deeds: Deeds
  clock: Clock
  mail: Mail
}

export type Teams = ReturnType<typeof createTeams>

/** Who belongs where: people, keys, teams, members, invitations, projects. */
export function createTeams(deps: TeamsDeps) {
  const keys = createKeys(deps)
  return {
    actors: createActors(deps),
    ...keys,
    ...createPeople(deps, keys),
    ...createTeamSettings(deps),
    ...createAudit(deps),
    adoptPerson,
    claimSlug,
    ...createMembers(deps),
    ...createInvitations(deps),
    ...createServiceAccounts(deps, keys),
    ...createVisibility(deps),
    organisation: { ...createOrganisation(deps), sso: deps.ssoSettings },
    ...createProjects(deps),
    ...createDirectory(deps, keys),
    ...createCharts(deps),
  }
}

/** Roles that a person may be given; `service` is for service accounts alone. */
export type PersonRole = Exclude<TeamRole, 'service'>
