/** The people and the thing that the tests of the permission table are about. */
import { defaultPolicy, resolvePolicy } from './policy-switches.ts'
import type { Policy, PolicyKey, PolicySwitches } from './policy-switches.ts'
import type { Action, Column } from './policy-table.ts'
import { can } from './policy.ts'
import type { Resource, Subject } from './policy.ts'

/** One person for each column of the table; `ada` owns the thing. */
export const people: Record<Column, Subject> = {
  O: { userId: 'ada', role: 'member', orgRole: 'member' },
  M: { userId: 'bob', role: 'member', orgRole: 'member' },
  V: { userId: 'vera', role: 'viewer', orgRole: 'member' },
  S: { userId: 'robot', role: 'service', orgRole: 'member' },
  TA: { userId: 'grace', role: 'admin', orgRole: 'member' },
  OA: { userId: 'olga', role: null, orgRole: 'admin' },
  N: { userId: 'sam', role: null, orgRole: 'member' },
}
export const { M: member, V: viewer, S: service, TA: teamAdmin, OA: orgAdmin, N: stranger, O: owner } = people
export const anonymous: Subject = { userId: null, role: null, orgRole: null }
export const adas: Resource = { teamId: 'team', ownerId: 'ada' }
export const answers = (subject: Subject, action: Action, resource = adas, policy: Policy = defaultPolicy) =>
  can(subject, action, resource, policy).allowed
export const withSwitch = (key: PolicyKey, isOn: boolean): Policy => {
  const value = key === 'session_jupyter' ? (isOn ? 'team' : 'owner') : isOn
  return resolvePolicy('default', {}, { [key]: value } as Partial<PolicySwitches>)
}
