/**
 * Decides with the permission table (`policy-table.ts`): pure, no I/O, the same answer in server, browser and command
 * line. Everything not granted is refused, with the reason and a sentence that says whom to ask.
 *
 * The invariant: a view-only member changes nothing of anybody's, and a stranger changes nothing at all, whatever the
 * policy says. The tests try every combination of switches.
 */
import type { ErrorCode } from './errors.ts'
import { refusal } from './policy-refusal.ts'
import { isSetByOrganisation } from './policy-switches.ts'
import type { Policy, PolicyKey } from './policy-switches.ts'
import { findRow, getRow, neverInPersonalTeams, organisationActions } from './policy-table.ts'
import type { Action, Cell, Column, Condition, Row } from './policy-table.ts'
import type { OrganisationRole, TeamRole } from './teams.ts'

/** What an API key may do: all its user may, or only what one job needs (`experiment:<id>`). */
export type KeyScope = 'user' | `experiment:${string}`

/** Who asks, seen from the team of the resource. */
export type Subject = {
  /** null for nobody signed in and for the operator. */
  userId: string | null
  /** The role in the team that the resource belongs to; null for those who are not (or no longer) in it. */
  role: TeamRole | null
  /** null or absent for people outside the organisation. */
  orgRole?: OrganisationRole | null
  /** Holds the operator token of this server: counts as organisation admin. */
  isOperator?: boolean
  /** An organisation admin says that this is an emergency, having been told that it is recorded. */
  breaksGlass?: boolean
  /** Set when the request is proven by an API key; absent for browser sessions. */
  keyScope?: KeyScope
  /** `cli` for our command line, where a policy may hide team mates' logs and artifacts. */
  via?: 'web' | 'cli' | 'wandb'
}

/** What is asked about. For making something new, `ownerId` is who will own it. */
export type Resource = {
  /** null for things of the organisation (users, settings, a team to be created). */
  teamId: string | null
  /** Who made it, or whom a service account made it for; for the audit log and keys, whose entry or key it is. */
  ownerId?: string | null
  /** The service account that made it, when `ownerId` names the person it was made for. */
  createdById?: string | null
  isPersonalTeam?: boolean
  /**
   * `private` things are their owner's and the admins' alone; what is open to the `organisation` its people may read as
   * viewers do, and use. Default `team`.
   */
  visibility?: 'private' | 'team' | 'organisation'
  /** Who keeps the private project that it stands in: to them it is not hidden. */
  keptById?: string | null
  /** Sessions: `none` closes JupyterLab to team mates. Reports: `edit` lets members edit. */
  share?: 'none' | 'team' | 'edit'
  /** The request carries a valid share link to exactly this item. */
  openedByLink?: boolean
  /** Its owner moved it into a project that is somebody else's. */
  isMoved?: boolean
  /** In a registry of the organisation, where roles are given for it alone. */
  isRegistry?: boolean
  /** Clusters: whose they are. */
  clusterOf?: 'team' | 'organisation'
  /** The experiment it is, or belongs to: a job's key reaches only this one. */
  experimentId?: string | null
  /** For `policy:edit`: the switch that would change. */
  policyKey?: PolicyKey
  /** Words for the refusal sentence. */
  kind?: string
  name?: string
  makes?: string
  ownerName?: string
  adminNames?: readonly string[]
}

export type Allowed = {
  allowed: true
  /** To be written to the audit log, with before and after for a change. */
  audited?: boolean
  /** It interrupts or destroys something of another person: ask before doing it, and tell the owner. */
  confirm?: boolean
}
export type Because = 'stranger' | 'role' | 'policy' | 'not_owner' | 'locked'
export type Refused = { allowed: false; because: Because; policy?: PolicyKey; sentence: string }
export type Verdict = Allowed | Refused

/**
 * May this subject do this to that, under the team's policy?
 *
 * @returns `stranger` means: answer as if the thing did not exist. Every other reason may be told.
 */
export function can(subject: Subject, action: Action, resource: Resource, policy: Policy): Verdict {
  const asked: Asked = { subject, action: actionFor(action, resource), resource, policy }
  const row = findRow(asked.action)
  const standing = columnsOf(asked, row)
  if (standing.length === 0) return refuse(asked, isOfTheOrganisation(asked) ? 'role' : 'stranger')
  if (row === undefined) return refuse(asked, 'role')
  if (resource.isPersonalTeam && neverInPersonalTeams.has(action)) return refuse(asked, 'role')
  if (!keyAllows(asked, standing)) return refuse(asked, 'role')

  const answers = standing.map((column) => ({ column, ...answer(row.cells[column], column, asked) }))
  const granted = answers.find((each) => each.granted)
  if (granted !== undefined) {
    if (isHiddenFromCommandLine(asked)) return refuse(asked, 'policy', 'cli_cross_user_logs_artifacts')
    if (isLocked(asked)) return refuse(asked, 'locked', resource.policyKey)
    return allow(asked, row, granted.column, granted.audited)
  }
  if (standing.every((column) => column === 'N')) return refuse(asked, 'stranger')
  const switchedOff = answers.find((each) => each.policy !== undefined)?.policy
  if (switchedOff !== undefined) return refuse(asked, 'policy', switchedOff)
  return refuse(asked, onlyItsOwnerMay(asked, row) ? 'not_owner' : 'role')
}

/** `can` as yes or no, for buttons and lists. */
export function may(subject: Subject, action: Action, resource: Resource, policy: Policy): boolean {
  return can(subject, action, resource, policy).allowed
}

/** The error code under which an edge reports a refusal: strangers learn nothing. */
export function codeOf(refused: Refused): ErrorCode {
  if (refused.because === 'stranger') return 'not_found'
  return refused.because === 'policy' || refused.because === 'locked' ? 'policy_denied' : 'forbidden'
}

type Asked = { subject: Subject; action: Action; resource: Resource; policy: Policy }
type Answer = { granted: boolean; audited: boolean; policy?: PolicyKey }

/** Deleting a run that was moved into somebody's project is its own row: no switch opens it to members. */
function actionFor(action: Action, resource: Resource): Action {
  if (!resource.isMoved) return action
  if (action === 'run:delete' || action === 'sweep:delete') return 'run:delete-moved'
  return action === 'experiment:delete' ? 'experiment:delete-moved' : action
}

/** What people outside the team may do with a thing of it that is open to the organisation, besides reading it. */
const usableByColleagues: ReadonlySet<Action> = new Set(['datastore:use', 'datastore:mount'])

/** The columns a subject stands in, the strongest first. None for somebody who may not know that the thing exists. */
function columnsOf(asked: Asked, row: Row<Action> | undefined): Column[] {
  const { subject, action, resource, policy } = asked
  const isContent = row === undefined || row.realm === 'content'
  const isPrivate = resource.visibility === 'private' && isContent && !isKept(subject, resource)
  const standing: Column[] = []
  const role = roleIn(asked)
  if ((role === 'admin' || role === 'member') && isOwner(subject, resource)) standing.push('O')
  if (role === 'admin') standing.push('TA')
  if ((role === 'admin' || role === 'member') && !isPrivate) standing.push('M')
  if (role === 'viewer' && !isPrivate) standing.push('V')
  if (role === 'service' && !isPrivate) standing.push('S')
  const isColleague = subject.orgRole === 'member' || subject.orgRole === 'billing'
  if (role === null && isColleague && isContent && resource.visibility === 'organisation') {
    if (usableByColleagues.has(action)) standing.push('M')
    else standing.push('V')
  }
  // What people keep in their personal team is theirs alone; running it (usage, credit, policy) is not.
  const isOpenToOrganisation =
    !isContent || (policy.switches.org_admin_sees_content && resource.isPersonalTeam !== true)
  if (isOrganisationAdmin(subject) && isOpenToOrganisation) standing.push('OA')
  else if (subject.orgRole === 'billing' && row && isForBilling(row.cells.OA, asked.action))
    standing.push('OA')
  if (resource.openedByLink === true) standing.push('N')
  return standing
}

/** Only known roles count, and only a personal team's own admin is in it. */
function roleIn({ subject: { role }, action, resource }: Asked): TeamRole | null {
  // Things of the organisation are in no team; a role there tells "admin of some team" (row 2) and no more.
  if (resource.teamId === null && !organisationActions.has(action)) return null
  if (resource.isPersonalTeam) return role === 'admin' ? role : null
  return role === 'admin' || role === 'member' || role === 'viewer' || role === 'service' ? role : null
}

function isOwner(subject: Subject, resource: Resource): boolean {
  if (!subject.userId) return false
  return subject.userId === resource.ownerId || subject.userId === resource.createdById
}

function isKept(subject: Subject, resource: Resource): boolean {
  return isOwner(subject, resource) || (Boolean(subject.userId) && subject.userId === resource.keptById)
}

function isOrganisationAdmin(subject: Subject): boolean {
  return subject.orgRole === 'admin' || subject.isOperator === true
}

/** The organisation's own doings are no secret to its people, so they get a reason instead of "no such thing". */
function isOfTheOrganisation({ subject, action, resource }: Asked): boolean {
  const isInside =
    isOrganisationAdmin(subject) || subject.orgRole === 'member' || subject.orgRole === 'billing'
  return isInside && resource.teamId === null && organisationActions.has(action)
}

function isForBilling(cell: Cell, action: Action): boolean {
  if (typeof cell === 'string' || cell.billing === undefined) return false
  return cell.billing === true || cell.billing.includes(action)
}

function answer(cell: Cell, column: Column, asked: Asked): Answer {
  const { subject, action, resource, policy } = asked
  const refused: Answer = { granted: false, audited: false }
  if (typeof cell === 'string') {
    return { ...refused, granted: cell === 'yes' || (cell === 'own' && isOwner(subject, resource)) }
  }
  const exception = cell.but?.[action]
  if (exception !== undefined) return answer(exception, column, asked)
  if (cell.follows !== undefined) return answer(getRow(cell.follows).cells[column], column, asked)
  if (cell.base === 'no') return refused
  if (cell.policy !== undefined && !isOn(policy, cell.policy, resource))
    return { ...refused, policy: cell.policy }
  if (cell.when !== undefined && !holds(cell.when, subject, resource)) return refused
  return { granted: true, audited: cell.audited === true }
}

function isOn({ switches }: Policy, key: PolicyKey, resource: Resource): boolean {
  // Everybody is admin of a personal team; what the organisation grants to team admins is meant for real teams.
  if (resource.isPersonalTeam && isSetByOrganisation(key)) return false
  return key === 'session_jupyter' ? switches.session_jupyter === 'team' : switches[key] === true
}

function holds(condition: Condition, subject: Subject, resource: Resource): boolean {
  switch (condition) {
    case 'link only':
      return resource.openedByLink === true
    case 'not closed by its owner':
      return resource.share !== 'none'
    case 'if shared for editing':
      return resource.share === 'edit'
    case 'own name space':
      return isOwner(subject, resource)
    case 'team cluster':
      return resource.clusterOf === 'team'
    case 'break-glass':
      return subject.breaksGlass === true
    default:
      return condition satisfies never
  }
}

function allow(
  { subject, resource }: Asked,
  row: Row<Action>,
  column: Column,
  isAuditedCell: boolean,
): Allowed {
  const isAnothers = Boolean(resource.ownerId) && !isOwner(subject, resource)
  const changes = row.effect === 'change' || row.effect === 'confirm'
  const fromOutside = column === 'OA' && row.realm === 'content'
  return {
    allowed: true,
    ...(isAuditedCell || fromOutside || (changes && isAnothers) ? { audited: true } : {}),
    ...(row.effect === 'confirm' && isAnothers ? { confirm: true } : {}),
  }
}

/** Logs and artifacts of a team mate, asked for by the command line, where the policy keeps them to the browser. */
function isHiddenFromCommandLine({ subject, action, resource, policy }: Asked): boolean {
  if (subject.via !== 'cli' || policy.switches.cli_cross_user_logs_artifacts) return false
  const isShown = action !== 'log:read' && action !== 'artifact:download' && action !== 'file:download'
  return !isShown && !isOwner(subject, resource)
}

function isLocked({ subject, action, resource, policy }: Asked): boolean {
  if (action !== 'policy:edit' || resource.policyKey === undefined || isOrganisationAdmin(subject))
    return false
  return policy.locked.includes(resource.policyKey) || isSetByOrganisation(resource.policyKey)
}

function onlyItsOwnerMay(asked: Asked, row: Row<Action>): boolean {
  const role = roleIn(asked)
  if (role === 'viewer') return false
  if (role === 'service') return row.cells.S === 'own'
  const asOwner = { ...asked, resource: { ...asked.resource, ownerId: asked.subject.userId } }
  return answer(row.cells.O, 'O', asOwner).granted
}

/** What the key of one job may do: the second, shorter table. It narrows; the first table must grant it as well. */
export const jobKeyActions = {
  // to its own experiment only
  'experiment:read': 'its experiment',
  'experiment:log': 'its experiment',
  'alert:create': 'its experiment',
  'artifact:create': 'its experiment',
  // anywhere its user may
  'datastore:read': 'any',
  'datastore:browse': 'any',
  'datastore:download': 'any',
} as const satisfies Partial<Record<Action, 'its experiment' | 'any'>>

function keyAllows(asked: Asked, standing: readonly Column[]): boolean {
  const { subject, action, resource } = asked
  const { keyScope } = subject
  if (keyScope === undefined) return true
  // View-only members have no API key (row 59): one from better days, or from another team, opens nothing here.
  // A registry is read by scripts: that is what its viewers are for.
  const isKeyless = roleIn(asked) === 'viewer' && asked.resource.isRegistry !== true
  if (isKeyless && !standing.includes('OA')) return false
  if (keyScope === 'user') return true
  if (!keyScope.startsWith('experiment:') || !Object.hasOwn(jobKeyActions, action)) return false
  if (jobKeyActions[action as keyof typeof jobKeyActions] === 'any') return true
  const experimentId = keyScope.slice('experiment:'.length)
  return experimentId !== '' && resource.experimentId === experimentId
}

function refuse({ subject, action, resource }: Asked, because: Because, policy?: PolicyKey): Refused {
  return {
    allowed: false,
    because,
    ...(policy === undefined ? {} : { policy }),
    sentence: refusal({
      because,
      action,
      policy,
      role: subject.role,
      isJobKey: subject.keyScope !== undefined && subject.keyScope !== 'user',
      hasKey: subject.keyScope !== undefined,
      kind: resource.kind,
      name: resource.name,
      makes: resource.makes,
      owner: resource.ownerName,
      admins: resource.adminNames,
    }),
  }
}
