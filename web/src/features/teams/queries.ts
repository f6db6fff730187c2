import { api } from '../../lib/client.ts'

/** What the pages of teams ask. Lists listen to news of any of their projects; the server tells a project's change at most once a second. */

export const projectsQuery = (team: string) =>
  api.projects.list.queryOptions({
    input: { team },
    meta: { live: { on: ['project.changed', 'experiment.changed'] } },
  })

export const projectQuery = (team: string, project: string) =>
  api.projects.get.queryOptions({
    input: { team, project },
    meta: { live: { on: ['project.changed', 'experiment.changed'], self: true } },
  })

export const teamQuery = (team: string) =>
  api.teams.get.queryOptions({ input: { team }, meta: { live: { on: ['team.changed'] } } })

export const membersQuery = (team: string) =>
  api.teams.members.queryOptions({ input: { team }, meta: { live: { on: ['team.changed'] } } })

export const invitationsQuery = (team: string) =>
  api.teams.invitations.queryOptions({ input: { team }, meta: { live: { on: ['team.changed'] } } })

export const activityQuery = (team: string) =>
  api.teams.activity.queryOptions({ input: { team, limit: 50 }, meta: { live: { on: ['team.changed'] } } })

export const statusQuery = (input: {
  team?: string
  scope: 'mine' | 'global'
  show: 'active' | 'history'
  limit: number
}) => api.experiments.status.queryOptions({ input, meta: { live: { on: ['experiment.changed'] } } })

export const alertsQuery = (team: string, limit = 10) =>
  api.experiments.alerts.queryOptions({
    input: { team, limit },
    meta: { live: { on: ['experiment.changed'] } },
  })

export const privacyQuery = (team: string) =>
  api.teams.privacy.queryOptions({
    input: { team },
    meta: { live: { on: ['team.changed', 'project.changed'] } },
  })

export const formerMembersQuery = (team: string) =>
  api.teams.formerMembers.queryOptions({ input: { team }, meta: { live: { on: ['team.changed'] } } })

export const myInvitationsQuery = () =>
  api.me.invitations.queryOptions({ meta: { live: { on: ['team.changed'] } } })

export const planQuery = () => api.organisation.plan.queryOptions()

export const locksQuery = () => api.organisation.locks.queryOptions()

export const teamRequestsQuery = () => api.organisation.teamRequests.queryOptions()

export const ssoQuery = () => api.organisation.sso.queryOptions()
