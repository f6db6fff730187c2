import type { UsageGroup } from '@teamgrid/api'
import { keepPreviousData } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'

const live = { live: { on: ['usage.changed'] } } as const

export const balanceQuery = (team: string) => api.usage.balance.queryOptions({ input: { team }, meta: live })

export const usageQuery = (input: { team: string; by: UsageGroup; from?: string; to?: string }) =>
  api.usage.table.queryOptions({ input, placeholderData: keepPreviousData, meta: live })

export const budgetsQuery = (team: string) => api.usage.budgets.queryOptions({ input: { team }, meta: live })

export const ratesQuery = () => api.usage.rates.queryOptions({ meta: live })

/** Whom and what a budget can be for. */
export const membersQuery = (team: string) =>
  api.teams.members.queryOptions({ input: { team }, meta: { live: { on: ['team.changed'] } } })

export const projectsQuery = (team: string) =>
  api.projects.list.queryOptions({ input: { team }, meta: { live: { on: ['project.changed'] } } })
