import type { OrganisationRole, Resource, TeamRole } from '@teamgrid/api'

export type Membership = { role: TeamRole; slug: string; kind: 'team' | 'personal' }

/** Who asks: proven once per request, then handed to every use case as its first argument. */
export type Actor = {
  kind: 'person' | 'service' | 'operator' | 'anonymous'
  /** Null for the operator and for anonymous. */
  userId: string | null
  username: string
  name: string
  organisationRole: OrganisationRole
  memberships: ReadonlyMap<string, Membership>
  /** Team that gets work which names none; null for the operator and for anonymous. */
  defaultTeamId: string | null
  /** `cookie`, `key:<id>`, `operator` or `none`; goes into the activity log. */
  via: string
  /** The network address it came from, as far as a trusted proxy tells; null for what nobody sent over the network. */
  address: string | null
  /** Which of our doors it came through: some policy switches close only the command line. */
  client: 'web' | 'cli' | 'wandb'
  /** What its key is narrowed to: `user` is everything its person may do, `experiment:<id>` only that experiment. */
  scope: string
  /** The member a service account works for in this request (`WANDB_USERNAME`, `GRID_USERNAME`). */
  attributedTo: { userId: string; username: string; name: string } | null
  /** Set where a service account named somebody who is nobody in its team, so that its work stays its own. */
  unknownMember?: string
  /** The address through which the caller reached us, without trailing slash: urls in answers start with it. */
  origin: string
}

/** A team as its row has it, as far as permission depends on it. */
export type TeamRules = {
  policy_preset: string
  policy_overrides: Record<string, boolean | string>
  kind: 'team' | 'personal' | 'organisation'
}

/** What anything under permission must tell about itself. */
export type Guarded = {
  teamId: string
  /** Of the same moment as the thing, where it was read along with it; else it is looked up. */
  teamRules?: TeamRules
  /** Null when nobody owns it, such as a team. */
  ownerId: string | null
  /** The service account that made it for its owner. */
  createdById?: string | null
  /** For jobs' keys, which reach only their own experiment. */
  experimentId?: string
  /** What the actor is here where that is no matter of membership in a team: in a registry. */
  registryRole?: TeamRole | null
  /** For refusals: `experiment`, `project` … and how people call it. */
  kind: string
  label: string
} & Pick<
  Resource,
  'share' | 'visibility' | 'keptById' | 'isMoved' | 'openedByLink' | 'policyKey' | 'clusterOf' | 'makes'
>
