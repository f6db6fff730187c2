import { os } from '../http/route.ts'
import type { Alerts } from './service.ts'

const ok = { ok: true } as const

/** Endpoint → use case, one line each. */
export const alertRoutes = ({ rules, channels, deliveries }: Alerts) => ({
  rules: os.alerts.rules.handler(({ context, input }) =>
    rules.list(context.actor, input.team, input.project),
  ),
  createRule: os.alerts.createRule.handler(({ context, input: { team, ...rule } }) =>
    rules.create(context.actor, team, rule),
  ),
  changeRule: os.alerts.changeRule.handler(({ context, input: { team, ruleId, ...rule } }) =>
    rules.change(context.actor, team, ruleId, rule as Parameters<typeof rules.change>[3]),
  ),
  deleteRule: os.alerts.deleteRule.handler(async ({ context, input }) => {
    await rules.remove(context.actor, input.team, input.ruleId)
    return ok
  }),
  testRule: os.alerts.testRule.handler(({ context, input }) =>
    rules.test(context.actor, input.team, input.ruleId),
  ),
  channels: os.alerts.channels.handler(({ context, input }) => channels.list(context.actor, input.team)),
  createChannel: os.alerts.createChannel.handler(({ context, input: { team, ...channel } }) =>
    channels.create(context.actor, team, channel),
  ),
  deleteChannel: os.alerts.deleteChannel.handler(async ({ context, input }) => {
    await channels.remove(context.actor, input.team, input.channelId)
    return ok
  }),
  testChannel: os.alerts.testChannel.handler(async ({ context, input }) => {
    await channels.test(context.actor, input.team, input.channelId)
    return ok
  }),
  deliveries: os.alerts.deliveries.handler(({ context, input: { team, ...page } }) =>
    deliveries(context.actor, team, page),
  ),
})

export const notificationRoutes = ({ notifications }: Alerts) => ({
  list: os.notifications.list.handler(({ context, input }) => notifications.list(context.actor, input)),
  read: os.notifications.read.handler(({ context, input }) => notifications.read(context.actor, input.ids)),
  preferences: os.notifications.preferences.handler(({ context }) =>
    notifications.preferences(context.actor),
  ),
  prefer: os.notifications.prefer.handler(({ context, input }) =>
    notifications.prefer(context.actor, input.preferences as Parameters<typeof notifications.prefer>[1]),
  ),
})
