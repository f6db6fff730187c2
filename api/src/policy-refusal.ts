/** The sentence of a refusal: what was not done, which rule says so, and whom to ask. */
import { errorCodes } from './errors.ts'
import { isSetByOrganisation } from './policy-switches.ts'
import type { PolicyKey } from './policy-switches.ts'
import { organisationActions } from './policy-table.ts'
import type { Action } from './policy-table.ts'

export type Refusal = {
  because: 'stranger' | 'role' | 'policy' | 'not_owner' | 'locked'
  action: Action
  policy?: PolicyKey | undefined
  /** The role of the person refused; anything else than the four reads as a member. */
  role?: 'admin' | 'member' | 'viewer' | 'service' | null | undefined
  hasKey?: boolean
  isJobKey?: boolean
  /** `run`, `session` …; default: the noun of the action. */
  kind?: string | undefined
  name?: string | undefined
  /** What creating makes, where that is not the noun of the action: a sweep is made by `run:create`. */
  makes?: string | undefined
  /** User name of the owner. */
  owner?: string | undefined
  /** User names of the team's admins. */
  admins?: readonly string[] | undefined
}

/**
 * Builds the sentence that the command line prints, the browser shows beside the button and the API sends.
 * With an owner: `Warning: run fine-otter-3 belongs to ada. Team policy "members_delete_runs" does not let members
 * delete it. Ask ada or a team admin (grace).`
 */
export function refusal(refused: Refusal): string {
  // Of what does not exist yet there is no owner, whoever owns the place where it was to be.
  if (refused.owner !== undefined && placeOf(refused) !== undefined)
    return refusal({ ...refused, owner: undefined })
  const { because, policy, owner } = refused
  if (because === 'stranger') return `${errorCodes.not_found.says}.`
  if (because === 'locked') {
    return `Warning: policy "${policy ?? 'this switch'}" is locked by your organisation. Ask an organisation admin.`
  }
  if (refused.isJobKey) {
    return 'Warning: this key belongs to one job. It may log to its own experiment, read datastores and write artifacts.'
  }
  const thing = describe(refused)
  const belongs = owner === undefined ? '' : `${thing} belongs to ${owner}. `
  const deed = owner === undefined ? deedTo(refused, thing) : deedTo(refused, 'it')
  if (policy === 'cli_cross_user_logs_artifacts') {
    return `Warning: ${belongs}Team policy "${policy}" does not show it on the command line. Open it in the browser.`
  }
  if (because === 'policy' && policy !== undefined) {
    const whose = isSetByOrganisation(policy) ? 'Organisation policy' : 'Team policy'
    return `Warning: ${belongs}${whose} "${policy}" does not let ${people(refused)} ${deed}. ${ask(refused)}`
  }
  if (because === 'not_owner')
    return `Warning: ${belongs}Your role does not let you ${deed}, as it is not yours. ${ask(refused)}`
  if (refused.role === 'viewer' && refused.hasKey) {
    return `Warning: ${belongs}Your role is view-only, which has no API key, so it does not let you ${deed}. Sign in on the web to look, or ask ${adminsOf(refused)}.`
  }
  return `Warning: ${belongs}Your role${roleName(refused)} does not let you ${deed}. ${ask(refused)}`
}

function describe({ kind, name, action, owner }: Refusal): string {
  const noun = kind ?? nounOf(action)
  if (name !== undefined) return `${noun} ${name}`
  return owner === undefined ? `${article(noun)} ${noun}` : `this ${noun}`
}

/** `team vision`, when something was to be created in it. */
function placeOf({ action, kind, name }: Refusal): string | undefined {
  if (!action.endsWith(':create') || action === 'team:create' || (kind !== 'team' && kind !== 'project'))
    return undefined
  return name === undefined ? `this ${kind}` : `${kind} ${name}`
}

const article = (noun: string) => (/^[aeiou]/i.test(noun) ? 'an' : 'a')

function nounOf(action: Action): string {
  const noun = action.split(':')[0] ?? ''
  return (Object.hasOwn(nouns, noun) ? nouns[noun] : undefined) ?? noun
}

const nouns: Record<string, string> = {
  key: 'key',
  privacy: 'privacy setting',
  file: 'file',
  history: 'history',
  tensorboard: 'TensorBoard',
  service: 'service account',
  invite: 'invitation',
  org: 'organisation',
  data: 'export',
  alert: 'alert',
}

/** Deeds whose verb alone does not make a sentence. `…` stands for the thing. */
const deeds: Partial<Record<Action, string>> = {
  'team:create': 'create a team',
  'team:leave': 'leave this team',
  'team:settings': 'change the settings of this team',
  'member:invite': 'invite people',
  'member:edit': 'change roles',
  'member:remove': 'remove members',
  'member:reassign': 'give what a removed member left to somebody else',
  'service:create': 'create service accounts and their keys',
  'service:revoke': 'revoke keys of service accounts',
  'invite:revoke': 'withdraw this invitation',
  'team:delete': 'delete this team',
  'project:create': 'create projects here',
  'run:create': 'create runs here',
  'experiment:create': 'create experiments here',
  'artifact:create': 'create artifacts here',
  'datastore:create': 'create datastores here',
  'report:create': 'create reports here',
  'session:create': 'create sessions here',
  'key:have': 'have an API key',
  'policy:edit': 'change the team policy',
  'policy:lock': 'lock policy switches',
  'privacy:read': 'see privacy settings',
  'privacy:edit': 'change privacy settings',
  'credit:add': 'add credit',
  'budget:edit': 'set budgets',
  'rate:edit': 'set what machines cost',
  'balance:read': 'see the balance',
  'usage:read': 'see the usage',
  'billing:read': 'see invoices',
  'billing:edit-info': 'edit billing information',
  'billing:edit-plan': 'change plan and seats',
  'history:read': 'see the history of this team',
  'data:export': 'export its data',
  'audit:read': 'see this part of the audit log',
  'alert:manage': 'manage the team’s alerts',
  'org:users': 'manage users',
  'org:keys': 'manage keys of other people',
  'org:teams': 'see all teams',
  'org:audit': 'see the audit log of the organisation',
  'org:settings': 'change settings of the organisation',
  'session:ssh': 'SSH into …',
  'session:vscode': 'enter … with VS Code',
  'session:resize': 'change the instance type of …',
  'session:open': 'open …',
  'experiment:log': 'log to …',
  'run:annotate': 'edit notes and tags of …',
  'experiment:annotate': 'edit notes and tags of …',
  'experiment:comment': 'comment on …',
  'run:comment': 'comment on …',
  'report:comment': 'comment on …',
  'datastore:version': 'add a version to …',
  'credential:read-value': 'read …',
  'run:delete-moved': 'delete …',
  'experiment:delete-moved': 'delete …',
}

function deedTo(refused: Refusal, thing: string): string {
  const { action } = refused
  const place = placeOf(refused)
  if (place !== undefined) {
    const noun = refused.makes ?? nounOf(action)
    return `create ${article(noun)} ${noun} in ${place}`
  }
  const deed = Object.hasOwn(deeds, action) ? deeds[action] : undefined
  if (deed !== undefined) return deed.replace('…', thing)
  return `${(action.split(':')[1] ?? 'touch').replaceAll('-', ' ')} ${thing}`
}

function people({ role }: Refusal): string {
  if (role === 'viewer') return 'view-only members'
  if (role === 'service') return 'service accounts'
  return role === 'admin' ? 'team admins' : 'members'
}

function roleName({ role }: Refusal): string {
  if (role === 'viewer') return ' (view-only)'
  if (role === 'service') return ' (service account)'
  if (role === 'admin') return ' (team admin)'
  return role === 'member' ? ' (member)' : ''
}

function adminsOf({ admins, role, action, policy }: Refusal): string {
  const isForTheOrganisation =
    policy === undefined ? organisationActions.has(action) : isSetByOrganisation(policy)
  if (role === 'admin' || isForTheOrganisation) return 'an organisation admin'
  return admins === undefined || admins.length === 0 ? 'a team admin' : `a team admin (${admins.join(', ')})`
}

function ask(refused: Refusal): string {
  return refused.owner === undefined
    ? `Ask ${adminsOf(refused)}.`
    : `Ask ${refused.owner} or ${adminsOf(refused)}.`
}
