import {
  type Action,
  can,
  isPolicyPreset,
  type PolicySwitches,
  type Resource,
  type Team,
} from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { api } from './client.ts'

/** Who am I, where may I work. */
export const meQuery = () =>
  api.me.get.queryOptions({ staleTime: 60_000, meta: { live: { on: ['team.changed'] } } })

/** The signed-in person; the frame has loaded it before any page shows. */
export function useMe() {
  return useQuery(meQuery()).data
}

/** The team as `me` knows it; undefined for teams one is not in. */
export function useTeam(slug: string): Team | undefined {
  return useMe()?.teams.find((team) => team.slug === slug)
}

type About = Omit<Resource, 'teamId' | 'isPersonalTeam' | 'adminNames'>

/**
 * Asks the permission table for a team of mine, as the server will.
 *
 * @returns a function from action and thing to undefined (allowed) or the sentence of the refusal, ready for a button's `refused`.
 */
export function useRefusal(team: Team | undefined): (action: Action, about?: About) => string | undefined {
  const me = useMe()
  return (action, about = {}) => {
    if (me === undefined || team === undefined) return 'Still loading'
    const verdict = can(
      { userId: me.user.id, role: team.role, orgRole: me.user.organisationRole, via: 'web' },
      action,
      { ...about, teamId: team.id, isPersonalTeam: team.kind === 'personal', adminNames: team.admins },
      {
        preset: isPolicyPreset(team.policy.preset) ? team.policy.preset : 'default',
        switches: team.policy.switches as PolicySwitches,
        locked: [],
      },
    )
    return verdict.allowed ? undefined : verdict.sentence
  }
}
