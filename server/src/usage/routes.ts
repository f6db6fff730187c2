import { os } from '../http/route.ts'
import type { Usage } from './service.ts'

/** Endpoint → use case. */
export const usageRoutes = (usage: Usage) => ({
  balances: os.usage.balances.handler(async ({ context }) => ({
    items: await usage.balances(context.actor),
  })),
  balance: os.usage.balance.handler(({ context, input }) => usage.balance(context.actor, input.team)),
  ledger: os.usage.ledger.handler(({ context, input }) => usage.ledger(context.actor, input)),
  addCredit: os.usage.addCredit.handler(({ context, input }) => usage.addCredit(context.actor, input)),
  table: os.usage.table.handler(({ context, input }) => usage.table(context.actor, input)),
  setRules: os.usage.setRules.handler(({ context, input }) => usage.setRules(context.actor, input)),
  budgets: os.usage.budgets.handler(async ({ context, input }) => ({
    items: await usage.budgets.list(context.actor, input.team),
  })),
  createBudget: os.usage.createBudget.handler(({ context, input }) =>
    usage.budgets.create(context.actor, input),
  ),
  changeBudget: os.usage.changeBudget.handler(({ context, input }) =>
    usage.budgets.change(context.actor, input),
  ),
  deleteBudget: os.usage.deleteBudget.handler(async ({ context, input }) => {
    await usage.budgets.remove(context.actor, input.team, input.budgetId)
    return { ok: true }
  }),
  rates: os.usage.rates.handler(async ({ context }) => ({ items: await usage.rates(context.actor) })),
  setRate: os.usage.setRate.handler(async ({ context, input }) => ({
    items: await usage.setRate(context.actor, input),
  })),
})
