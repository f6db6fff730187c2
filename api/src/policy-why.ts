/** Why somebody can, or cannot, see something: one sentence, from the same table that decides. */
import type { Policy } from './policy-switches.ts'
import type { Action } from './policy-table.ts'
import { can } from './policy.ts'
import type { Resource, Subject } from './policy.ts'

export type Asking = {
  subject: Subject
  /** How the person is called. */
  person: string
  isDisabled?: boolean
  /** The team of the thing. */
  team: string
  /** How the thing is called, with its kind: `experiment swift-otter-3`. */
  thing: string
  action: Extract<Action, 'team:read' | 'project:read' | 'experiment:read'>
  resource: Resource
  policy: Policy
  /** Who made it, and whom (a service account) it came from. */
  madeBy?: string
  madeVia?: string
  /** Who keeps the private project that it stands in. */
  keptBy?: string
}

/** @returns whether they see it, and the sentence. */
export function why(asking: Asking): { sees: boolean; sentence: string } {
  const { subject, person, team, thing, action, resource, policy, keptBy } = asking
  if (asking.isDisabled)
    return { sees: false, sentence: `${person} cannot see ${thing}, because the account is disabled.` }
  const verdict = can(subject, action, resource, policy)
  if (verdict.allowed) {
    return { sees: true, sentence: `${person} can see ${thing}, because ${reason(asking)}.` }
  }
  const no = `${person} cannot see ${thing}, because`
  if (subject.role === null) {
    const isAdmin = subject.orgRole === 'admin'
    if (resource.isPersonalTeam)
      return { sees: false, sentence: `${no} ${team} is somebody else’s personal team.` }
    return {
      sees: false,
      sentence: isAdmin
        ? `${no} they are not in team ${team}, and the organisation’s switch "org_admin_sees_content" is off.`
        : `${no} they are not in team ${team}.`,
    }
  }
  if (resource.visibility === 'private')
    return {
      sees: false,
      sentence: `${no} it is private to ${keptBy ?? 'who made it'} and the admins of ${team}.`,
    }
  return { sees: false, sentence: `${no} their role in team ${team} does not allow it.` }
}

function reason({ subject, team, thing, resource, madeBy, madeVia, keptBy, person }: Asking): string {
  const { role } = subject
  const role_ = role === null ? '' : `${roles[role]} of team ${team}`
  if (role !== null && resource.isPersonalTeam) return `${team} is their personal team`
  if (role === 'admin' || role === 'member') {
    if (madeBy === person)
      return `they made it${madeVia === undefined ? '' : ` (via ${madeVia})`} and are ${role_}`
    if (resource.visibility === 'private' && keptBy === person)
      return `it stands in their private project and they are ${role_}`
  }
  if (role === 'service' && madeVia === person)
    return `it made it${madeBy ? ` for ${madeBy}` : ''} and is ${role_}`
  if (role === 'admin') return `they are ${role_}, and admins see everything in it`
  if (role === 'viewer') return `they are ${role_}: they see what members see and change nothing`
  if (role !== null) {
    return thing.startsWith('team ')
      ? `they are ${role_}`
      : `they are ${role_}, and everybody in a team sees what is not private in it`
  }
  return `they are an organisation admin, who may look into teams they are not in; each look is written to the audit log`
}

const roles = {
  admin: 'an admin',
  member: 'a member',
  viewer: 'a view-only member',
  service: 'a service account',
} as const
