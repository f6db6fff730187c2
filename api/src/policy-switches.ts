/**
 * The switches of a team's policy: what they mean, what they are when nobody chose, and the four presets that set
 * several at once. `policy-table.ts` says which permission hangs on which switch.
 */

/** Whose decision a switch is. A team admin may not grant himself what the organisation pays or answers for. */
type SetBy = 'team' | 'organisation'
type Switch = { initial: boolean; setBy: SetBy; says: string }

const on = (says: string, setBy: SetBy = 'team'): Switch => ({ initial: true, setBy, says })
const off = (says: string, setBy: SetBy = 'team'): Switch => ({ initial: false, setBy, says })

/** Every switch that is on or off, with its default and what it lets happen when on. */
export const booleanSwitches = {
  members_can_invite: off('Members may invite people'),
  members_stop_runs: on('Members may stop a team mate’s runs and experiments'),
  members_delete_runs: off('Members may delete a team mate’s runs, experiments and their artifacts'),
  members_archive_runs: on('Members may archive a team mate’s runs and experiments'),
  members_move_runs: off('Members may move a team mate’s runs to another team'),
  members_edit_notes: on('Members may edit notes and tags on a team mate’s experiments'),
  members_pause_sessions: off('Members may pause a team mate’s sessions'),
  members_delete_sessions: off('Members may stop and delete a team mate’s sessions'),
  members_delete_datastores: off('Members may delete a team mate’s datastores'),
  members_version_others: off('Members may add a version to a team mate’s datastore'),
  view_only_downloads: on('View-only members may download artifacts, files and data'),
  view_only_sees_cost: off('View-only members may see the remaining balance'),
  service_sessions: off('Service accounts may create sessions'),
  admin_resume: off('Team admins may resume a team mate’s session'),
  session_ssh: off('Members may enter a team mate’s session by SSH or VS Code'),
  cli_cross_user_logs_artifacts: on('The command line shows a team mate’s logs and artifacts'),
  team_admin_creates_teams: off('Team admins may create further teams', 'organisation'),
  team_admin_adds_credit: off('Team admins may add credit to their team', 'organisation'),
  org_admin_sees_content: on(
    'Organisation admins reach the content of teams they are not in (audited)',
    'organisation',
  ),
} as const satisfies Record<string, Switch>

/** Who may open the JupyterLab of a session: everybody in the team, or its owner alone. */
export const sessionJupyterChoices = ['team', 'owner'] as const
export type SessionJupyter = (typeof sessionJupyterChoices)[number]

export type BooleanSwitch = keyof typeof booleanSwitches
export type PolicyKey = BooleanSwitch | 'session_jupyter'
export type PolicySwitches = Record<BooleanSwitch, boolean> & { session_jupyter: SessionJupyter }

export const booleanSwitchKeys = Object.keys(booleanSwitches) as BooleanSwitch[]
export const policyKeys: readonly PolicyKey[] = [...booleanSwitchKeys, 'session_jupyter']

export function isPolicyKey(key: unknown): key is PolicyKey {
  return typeof key === 'string' && (policyKeys as readonly string[]).includes(key)
}

/** Whether the value fits the switch: booleans, except `session_jupyter`, which is `team` or `owner`. */
export function isPolicyValue(key: PolicyKey, value: unknown): boolean {
  if (key === 'session_jupyter') return (sessionJupyterChoices as readonly unknown[]).includes(value)
  return typeof value === 'boolean'
}

/** What a switch lets happen when on, in one sentence without a full stop. */
export function describeSwitch(key: PolicyKey): string {
  if (key === 'session_jupyter') return 'Who may open a session’s JupyterLab: the team, or its owner alone'
  return booleanSwitches[key].says
}

/** Whether only the organisation may set a switch. A team's own value for it is ignored. */
export function isSetByOrganisation(key: PolicyKey): boolean {
  return key !== 'session_jupyter' && booleanSwitches[key].setBy === 'organisation'
}

const initial: Readonly<PolicySwitches> = {
  ...(Object.fromEntries(booleanSwitchKeys.map((key) => [key, booleanSwitches[key].initial])) as Record<
    BooleanSwitch,
    boolean
  >),
  session_jupyter: 'team',
}

/** One click for a team that wants the rules of a product it knows. What a preset does not name keeps its default. */
export const policyPresets = {
  default: {},
  /** Grid.ai in autumn 2021: what is yours only you may stop. */
  'grid-2021': { members_stop_runs: false },
  /** Grid.ai in March 2022: members stop and delete each other's runs; foreign logs only in the browser. */
  'grid-2022': { members_delete_runs: true, cli_cross_user_logs_artifacts: false },
  /** W&B Teams: creator or admin. */
  wandb: { members_stop_runs: false, session_jupyter: 'owner' },
} as const satisfies Record<string, Partial<PolicySwitches>>

export type PolicyPreset = keyof typeof policyPresets
export const policyPresetNames = Object.keys(policyPresets) as PolicyPreset[]

export function isPolicyPreset(name: unknown): name is PolicyPreset {
  return typeof name === 'string' && Object.hasOwn(policyPresets, name)
}

/** A team's policy with every switch decided. */
export type Policy = {
  preset: PolicyPreset
  switches: Readonly<PolicySwitches>
  /** Switches the organisation holds: team admins see them as "locked by your organisation". */
  locked: readonly PolicyKey[]
}

/**
 * Decides every switch: default, then the preset, then the team's own choices, then what the organisation locked.
 * Unknown presets, keys and values of the wrong type are ignored, as stored policies outlive the code that wrote them; so are a
 * team's choices for switches that only the organisation sets.
 */
export function resolvePolicy(
  preset: PolicyPreset = 'default',
  overrides: Partial<PolicySwitches> = {},
  locks: Partial<PolicySwitches> = {},
): Policy {
  const teams = sane(overrides).filter(([key]) => !isSetByOrganisation(key))
  const organisations = sane(locks)
  const known = isPolicyPreset(preset) ? preset : 'default'
  return {
    preset: known,
    switches: {
      ...initial,
      ...policyPresets[known],
      ...Object.fromEntries(teams),
      ...Object.fromEntries(organisations),
    },
    locked: organisations.map(([key]) => key),
  }
}

/** The policy of a team that never chose one. */
export const defaultPolicy: Policy = resolvePolicy()

function sane(switches: Partial<PolicySwitches>): [PolicyKey, boolean | SessionJupyter][] {
  const pairs: [PolicyKey, boolean | SessionJupyter][] = []
  for (const [key, value] of Object.entries(switches)) {
    if (isPolicyKey(key) && isPolicyValue(key, value)) pairs.push([key, value])
  }
  return pairs
}
