import { api } from '../../lib/client.ts'

/** What I was told, newest first; told again as soon as there is more. */
export const notificationsQuery = (limit = 30, unread = false) =>
  api.notifications.list.queryOptions({
    input: { limit, ...(unread ? { unread: true } : {}) },
    meta: { live: { on: ['notifications.changed'] } },
  })

export const preferencesQuery = () => api.notifications.preferences.queryOptions()

export const rulesQuery = (team: string) => api.alerts.rules.queryOptions({ input: { team } })

export const channelsQuery = (team: string) => api.alerts.channels.queryOptions({ input: { team } })

export const deliveriesQuery = (team: string) =>
  api.alerts.deliveries.queryOptions({ input: { team, limit: 30 } })
