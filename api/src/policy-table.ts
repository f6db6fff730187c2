/**
 * THE permission table: who may do what in a team. The server, the browser and the command line all decide with it,
 * through `can` in `policy.ts`, so a button and the server never disagree. What is not granted here is refused.
 *
 * Columns, always in this order:
 *   O  owner of the resource (while still a full member or admin of its team)
 *   M  other member · V view-only member · S service account · TA team admin
 *   OA organisation admin, also in teams they are not in · N everybody else
 * A person in several columns may do what any of them grants. View-only members and service accounts are never in O:
 * S says `own` where a service account may act on what it made.
 */
import type { PolicyKey } from './policy-switches.ts'

export const columns = ['O', 'M', 'V', 'S', 'TA', 'OA', 'N'] as const
export type Column = (typeof columns)[number]

/** A condition that a cell adds, on the resource at hand. */
export type Condition =
  /** reached through a valid link to just this item */
  | 'link only'
  /** the owner has not closed the session to team mates */
  | 'not closed by its owner'
  /** its owner opened it for editing by the team */
  | 'if shared for editing'
  /** created under one's own user name */
  | 'own name space'
  /** the cluster belongs to the team, not to the organisation */
  | 'team cluster'
  /** asked for explicitly, in an emergency; never a default */
  | 'break-glass'

export type Cell =
  | 'yes'
  | 'no'
  | 'own'
  /** the combination does not arise; refused like `no` */
  | 'none'
  | {
      /** Granted while this switch is on (for `session_jupyter`: says `team`). */
      policy?: PolicyKey
      when?: Condition
      /** Granted, and written to the audit log. */
      audited?: true
      /** The billing user of the organisation may do it too: all actions of the row, or those named. Column OA only. */
      billing?: true | readonly string[]
      /** The same as this column in another row. */
      follows?: number
      /** What this cell says for most of the row's actions, when `but` names others. */
      base?: 'yes' | 'no'
      but?: Readonly<Record<string, Cell>>
      /** For the reader only. */
      note?: string
    }

/** `manage` is running the team or the organisation, `content` is what people made in it. */
export type Realm = 'manage' | 'content'
/** `read` changes nothing; `confirm` is a change that asks first when the thing is somebody else's. */
export type Effect = 'read' | 'make' | 'change' | 'confirm'

export type Row<Name extends string = string> = {
  /** 1 … 62 as in docs/roles.md; from 101 on rows that those imply. */
  number: number
  says: string
  realm: Realm
  effect: Effect
  actions: readonly Name[]
  cells: Readonly<Record<Column, Cell>>
}

type CellsInOrder = readonly [O: Cell, M: Cell, V: Cell, S: Cell, TA: Cell, OA: Cell, N: Cell]

function row<const Name extends `${string}:${string}`>(
  number: number,
  nature: `${Realm}:${Effect}`,
  says: string,
  actions: readonly Name[],
  [O, M, V, S, TA, OA, N]: CellsInOrder,
): Row<Name> {
  const [realm, effect] = nature.split(':') as [Realm, Effect]
  return { number, says, realm, effect, actions, cells: { O, M, V, S, TA, OA, N } }
}

const Y = 'yes'
const no = 'no'
const own = 'own'
const none = 'none'
const P = (policy: PolicyKey) => ({ policy })
const like = (follows: number) => ({ follows })
const link = { when: 'link only' } as const
const billing = { base: 'yes', billing: true } as const

// prettier-ignore
/** Rows 1 to 62. */
export const matrix = [
  // Team
  row(1, 'manage:read', 'see the team, its members and policy', ['team:read', 'member:read', 'policy:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(2, 'manage:make', 'create a team', ['team:create'],
    [none, no, no, no, P('team_admin_creates_teams'), Y, no]),
  row(3, 'manage:make', 'invite members', ['member:invite'],
    [none, P('members_can_invite'), no, no, Y, Y, no]),
  row(4, 'manage:confirm', 'remove a member; leave', ['member:remove', 'team:leave'],
    [none, { base: no, but: { 'team:leave': Y } }, { base: no, but: { 'team:leave': Y } }, no, Y, Y, no]),
  row(5, 'manage:change', 'change roles', ['member:edit'],
    [none, no, no, no, Y, Y, no]),
  row(6, 'manage:change', 'create or revoke a service account and its key', ['service:create', 'service:revoke'],
    [none, no, no, no, Y, Y, no]),
  row(7, 'manage:read', 'see privacy settings of team projects', ['privacy:read'],
    [Y, Y, Y, no, Y, Y, no]),
  row(8, 'manage:change', 'change privacy settings', ['privacy:edit'],
    [none, no, no, no, Y, Y, no]),

  // Runs and experiments
  row(9, 'content:read', 'view projects, runs and experiments',
    ['project:read', 'run:read', 'experiment:read', 'artifact:read', 'file:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(10, 'content:read', 'view the team’s history', ['history:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(11, 'content:read', 'see metrics and media of a run', ['metric:read', 'media:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(12, 'content:read', 'view logs', ['log:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(13, 'content:read', 'TensorBoard of a run', ['tensorboard:open'],
    [Y, Y, Y, no, Y, Y, no]),
  row(14, 'content:read', 'download artifacts and files', ['artifact:download', 'file:download'],
    [Y, Y, P('view_only_downloads'), Y, Y, Y, link]),
  row(15, 'content:make', 'create a run in the team',
    ['run:create', 'experiment:create', 'project:create', 'artifact:create'],
    [none, Y, no, Y, Y, Y, no]),
  row(16, 'content:make', 'clone a run or experiment', ['run:clone', 'experiment:clone'],
    [Y, Y, no, Y, Y, Y, no]),
  row(17, 'content:change', 'share a run (link)', ['run:share', 'experiment:share'],
    [Y, Y, no, no, Y, Y, no]),
  row(18, 'content:change', 'edit name, notes and tags of a run',
    ['run:edit', 'experiment:edit', 'run:annotate', 'experiment:annotate', 'run:comment', 'experiment:comment'],
    [Y,
      { base: no, note: 'notes and tags only', but: {
        'run:annotate': P('members_edit_notes'), 'experiment:annotate': P('members_edit_notes'),
        'run:comment': Y, 'experiment:comment': Y } },
      { base: no, but: { 'run:comment': Y, 'experiment:comment': Y } },
      own, Y, Y, no]),
  row(19, 'content:confirm', 'stop a run or experiment', ['run:stop', 'experiment:stop'],
    [Y, P('members_stop_runs'), no, own, Y, Y, no]),
  row(20, 'content:confirm', 'delete a run or experiment, or take that back',
    ['run:delete', 'experiment:delete', 'run:restore', 'experiment:restore'],
    [Y, P('members_delete_runs'), no, own, Y, Y, no]),
  row(21, 'content:confirm', 'archive or unarchive a run or experiment', ['run:archive', 'experiment:archive'],
    [Y, P('members_archive_runs'), no, own, Y, Y, no]),
  row(22, 'content:confirm', 'move runs to another team, or one’s personal one', ['run:move', 'experiment:move'],
    [Y, P('members_move_runs'), no, own, Y, Y, no]),
  row(23, 'content:confirm', 'delete a run that was moved into someone’s project',
    ['run:delete-moved', 'experiment:delete-moved'],
    [Y, no, no, no, Y, Y, no]),
  row(24, 'content:confirm', 'delete artifacts and files of a run', ['artifact:delete', 'file:delete'],
    [Y, like(20), no, own, Y, Y, no]),
  row(25, 'content:confirm', 'delete a sweep (a run with many experiments)', ['sweep:delete'],
    [Y, like(20), no, own, Y, Y, no]),
  row(26, 'content:confirm', 'delete a project', ['project:delete'],
    [{ base: no, note: 'only own runs inside' }, no, no, no, Y, Y, no]),

  // Sessions
  row(27, 'content:read', 'view sessions', ['session:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(28, 'content:confirm', 'open a session’s JupyterLab', ['session:open'],
    [Y, { policy: 'session_jupyter', when: 'not closed by its owner' }, no, no,
      { base: Y, audited: true }, { when: 'break-glass', audited: true }, no]),
  row(29, 'content:confirm', 'SSH into a session', ['session:ssh'],
    [Y, P('session_ssh'), no, own, no, no, no]),
  row(30, 'content:confirm', 'VS Code into a session', ['session:vscode'],
    [Y, P('session_ssh'), no, no, no, no, no]),
  row(31, 'content:make', 'create a session', ['session:create'],
    [none, Y, no, P('service_sessions'), Y, Y, no]),
  row(32, 'content:confirm', 'pause a session', ['session:pause'],
    [Y, P('members_pause_sessions'), no, own, Y, Y, no]),
  row(33, 'content:confirm', 'resume a session', ['session:resume'],
    [Y, no, no, own, P('admin_resume'), no, no]),
  row(34, 'content:confirm', 'stop or delete a session', ['session:stop', 'session:delete'],
    [Y, P('members_delete_sessions'), no, own, Y, Y, no]),
  row(35, 'content:confirm', 'change a session’s instance type', ['session:resize'],
    [Y, no, no, own, Y, Y, no]),

  // Datastores
  row(36, 'content:read', 'view datastores', ['datastore:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(37, 'content:read', 'browse and download datastore files', ['datastore:browse', 'datastore:download'],
    [Y, Y, P('view_only_downloads'), Y, Y, Y, no]),
  row(38, 'content:make', 'use a datastore in a run', ['datastore:use'],
    [Y, Y, no, Y, Y, Y, no]),
  row(39, 'content:make', 'mount a datastore in a session at creation', ['datastore:mount'],
    [Y, Y, no, Y, Y, Y, no]),
  row(40, 'content:make', 'create a datastore, or a new version of one’s own', ['datastore:create'],
    [Y, { when: 'own name space' }, no, Y, Y, Y, no]),
  row(41, 'content:change', 'add a version to another’s datastore', ['datastore:version'],
    [Y, P('members_version_others'), no, own, Y, Y, no]),
  row(42, 'content:confirm', 'delete a datastore or a version', ['datastore:delete'],
    [Y, P('members_delete_datastores'), no, own, Y, Y, no]),

  // Clusters and credentials
  row(43, 'content:make', 'bring own cloud credentials or cluster', ['credential:create', 'cluster:use-own'],
    [Y, Y, no, no, Y, Y, no]),
  row(44, 'content:make', 'use a team mate’s credential, never reading it', ['credential:use'],
    [Y, Y, no, Y, Y, Y, no]),
  row(45, 'content:read', 'read the value of a credential that is not sensitive', ['credential:read-value'],
    [Y, Y, no, no, Y, Y, no]),
  row(46, 'content:confirm', 'delete a credential', ['credential:delete'],
    [Y, no, no, no, Y, Y, no]),
  row(47, 'manage:change', 'register, edit or delete a cluster',
    ['cluster:register', 'cluster:edit', 'cluster:delete'],
    [none, no, no, no, { when: 'team cluster' }, Y, no]),

  // Money
  row(48, 'manage:read', 'see usage and remaining balance', ['balance:read', 'usage:read'],
    [Y, Y, P('view_only_sees_cost'), Y, Y, billing, no]),
  row(49, 'manage:change', 'add credit for the team', ['credit:add'],
    [none, no, no, no, P('team_admin_adds_credit'), billing, no]),
  row(50, 'manage:change', 'set budgets and rates', ['budget:edit', 'rate:edit'],
    [none, no, no, no, { base: no, but: { 'budget:edit': Y } }, Y, no]),
  row(51, 'manage:change', 'edit billing info, seats, plan and billing user', ['billing:edit-info', 'billing:edit-plan'],
    [none, no, no, no, no, { base: Y, billing: ['billing:edit-info'] }, no]),

  // Reports
  row(52, 'content:read', 'view a report', ['report:read'],
    [Y, Y, Y, Y, Y, Y, link]),
  row(53, 'content:make', 'comment on or follow a report', ['report:comment', 'report:follow'],
    [Y, Y, Y, no, Y, Y, no]),
  row(54, 'content:make', 'create a report', ['report:create'],
    [Y, Y, no, Y, Y, Y, no]),
  row(55, 'content:change', 'edit a report', ['report:edit'],
    [Y, { when: 'if shared for editing' }, no, own, Y, Y, no]),
  row(56, 'content:confirm', 'delete a report', ['report:delete'],
    [Y, no, no, own, Y, Y, no]),

  // Alerts, keys, data, policy
  row(57, 'manage:change', 'manage team alerts (Slack, e-mail, webhook)', ['alert:manage'],
    [none, no, no, no, Y, Y, no]),
  row(58, 'content:make', 'personal alerts', ['alert:subscribe'],
    [Y, Y, Y, none, Y, Y, no]),
  row(59, 'manage:make', 'have an API key', ['key:have'],
    [none, Y, no, Y, Y, Y, no]),
  row(60, 'content:read', 'export all data', ['data:export'],
    [Y, { base: Y, note: 'team-visible' }, P('view_only_downloads'), Y, Y, Y, no]),
  row(61, 'manage:read', 'see the audit log', ['audit:read'],
    [own, own, no, no, Y, Y, no]),
  row(62, 'manage:change', 'edit the team policy', ['policy:edit'],
    [none, no, no, no, Y, { base: Y, note: 'can lock org-wide' }, no]),
] as const

// prettier-ignore
/** What rows 1 to 62 imply without saying so. */
export const implied = [
  row(101, 'content:make', 'log to an experiment or resume it, and raise an alert from its script',
    ['experiment:log', 'alert:create'],
    [Y, no, no, own, Y, Y, no]),
  row(102, 'content:change', 'edit a project’s overview', ['project:edit'],
    [Y, Y, no, own, Y, Y, no]),
  row(103, 'content:change', 'rename a project, session or datastore, or edit its description',
    ['project:rename', 'session:edit', 'datastore:edit'],
    [Y, no, no, own, Y, Y, no]),
  row(104, 'content:change', 'edit aliases, tags and description of an artifact', ['artifact:edit'],
    [Y, P('members_edit_notes'), no, own, Y, Y, no]),
  row(105, 'content:change', 'close one’s session to team mates, or open it again', ['session:share'],
    [Y, no, no, own, no, no, no]),
  row(106, 'content:read', 'open an item by its shared link', ['link:open'],
    [Y, Y, Y, Y, Y, Y, link]),
  row(107, 'manage:read', 'see the team’s clusters', ['cluster:read'],
    [Y, Y, Y, Y, Y, Y, no]),
  row(108, 'content:read', 'see which credentials there are', ['credential:read'],
    [Y, Y, no, Y, Y, Y, no]),
  row(109, 'manage:confirm', 'withdraw an invitation', ['invite:revoke'],
    [Y, no, no, no, Y, Y, no]),
  row(110, 'manage:change', 'change the team’s name, picture and defaults', ['team:settings'],
    [none, no, no, no, Y, Y, no]),
  row(111, 'manage:confirm', 'delete a team', ['team:delete'],
    [none, no, no, no, no, Y, no]),
  row(112, 'manage:change', 'give what a removed member left to somebody else', ['member:reassign'],
    [none, no, no, no, Y, Y, no]),
  row(113, 'manage:make', 'make, list or revoke one’s own API keys', ['key:create', 'key:read', 'key:revoke'],
    [Y, no, no, no, no, no, no]),

  // Organisation: these name no team.
  row(120, 'manage:change', 'manage the organisation’s users and their keys', ['org:users', 'org:keys'],
    [none, no, no, no, no, Y, no]),
  row(121, 'manage:read', 'see all teams of the organisation and its audit log', ['org:teams', 'org:audit'],
    [none, no, no, no, no, Y, no]),
  row(122, 'manage:change', 'change settings of the organisation and lock policy switches', ['org:settings', 'policy:lock'],
    [none, no, no, no, no, Y, no]),
  row(123, 'manage:read', 'see invoices', ['billing:read'],
    [none, no, no, no, no, billing, no]),
] as const

/** Everything the table knows. A misspelt action does not compile, and at run time is refused. */
export type Action = (typeof matrix)[number]['actions'][number] | (typeof implied)[number]['actions'][number]

export const allRows: readonly Row<Action>[] = [...matrix, ...implied]

export const allActions: readonly Action[] = allRows.flatMap((each) => each.actions)

const rowByAction = new Map<string, Row<Action>>(
  allRows.flatMap((each) => each.actions.map((action) => [action, each] as const)),
)
const rowByNumber = new Map<number, Row<Action>>(allRows.map((each) => [each.number, each]))

/** The row that decides about an action; undefined for a word the table does not know. */
export function findRow(action: string): Row<Action> | undefined {
  return rowByAction.get(action)
}

/** @throws Error for a number that is not in the table: a bug in the table itself. */
export function getRow(number: number): Row<Action> {
  const found = rowByNumber.get(number)
  if (found === undefined) throw new Error(`The permission table has no row ${number}`)
  return found
}

/** Actions that name the organisation rather than a team. */
export const organisationActions: ReadonlySet<Action> = new Set<Action>([
  'team:create',
  'org:users',
  'org:keys',
  'org:teams',
  'org:audit',
  'org:settings',
  'policy:lock',
  'billing:read',
  'billing:edit-info',
  'billing:edit-plan',
  'rate:edit',
])

/** A personal team has exactly its user, for good: nobody can be invited, promoted or removed, and it cannot go. */
export const neverInPersonalTeams: ReadonlySet<Action> = new Set<Action>([
  'member:invite',
  'member:remove',
  'member:edit',
  'member:reassign',
  'service:create',
  'service:revoke',
  'team:leave',
  'team:delete',
  'invite:revoke',
])
