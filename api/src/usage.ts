/** What machines cost, who pays, and what a team decides about it. */
import { z } from 'zod'
import { endpoint, Id, Instant, Ok, page, PageInput } from './base.ts'
import { Person } from './teams.ts'

/** A millionth of a credit; what a credit is worth is the organisation's affair. Always whole numbers. */
export const microcreditsPerCredit = 1_000_000
/** Beyond this, sums could pass what numbers of JSON hold exactly. */
const creditsMax = 1_000_000_000
const Amount = z
  .number()
  .int('Credits have six digits behind the point at most')
  .max(creditsMax * microcreditsPerCredit, 'That is more than the books hold')

/** What happens when a team has no credits left. */
export const WhenEmpty = z.enum(['warn', 'pause', 'stop'])
export type WhenEmpty = z.infer<typeof WhenEmpty>

export const Balance = z.object({
  team: z.string(),
  /** Credits given less credits used; below zero while nothing stops the team's work. */
  microcredits: z.number(),
  grantedMicrocredits: z.number(),
  usedMicrocredits: z.number(),
  /** What everything that runs now costs together. */
  microcreditsPerHour: z.number(),
  machines: z.number(),
  /** When the credits end at the present rate; null when they do not. */
  endsAt: Instant.nullable(),
  month: z.object({
    usedMicrocredits: z.number(),
    /** At the end of the month, if the coming days are as the last seven were. */
    forecastMicrocredits: z.number(),
  }),
  whenEmpty: WhenEmpty,
  lowMicrocredits: z.number(),
  state: z.enum(['unlimited', 'enough', 'low', 'empty']),
})
export type Balance = z.infer<typeof Balance>

export const LedgerEntry = z.object({
  number: z.number(),
  reason: z.enum(['credit', 'usage', 'adjustment']),
  microcredits: z.number(),
  note: z.string(),
  by: Person.nullable(),
  at: Instant,
})
export type LedgerEntry = z.infer<typeof LedgerEntry>

export const usageGroups = ['person', 'project', 'machine', 'kind', 'experiment'] as const
export const UsageGroup = z.enum(usageGroups)
export type UsageGroup = z.infer<typeof UsageGroup>

export const UsageRow = z.object({
  /** Person, project, machine, kind of work or experiment; what is gone keeps its row. */
  name: z.string(),
  stays: z.number(),
  seconds: z.number(),
  gpuSeconds: z.number(),
  microcredits: z.number(),
  /** Something of it still runs, so the amount grows. */
  isEstimate: z.boolean(),
})
export type UsageRow = z.infer<typeof UsageRow>

export const Usage = z.object({
  from: Instant,
  to: Instant,
  rows: z.array(UsageRow),
  /** By day (UTC), for a chart; days without use are left out. */
  days: z.array(z.object({ day: z.iso.date(), seconds: z.number(), microcredits: z.number() })),
  total: UsageRow.omit({ name: true }),
})
export type Usage = z.infer<typeof Usage>

export const BudgetPeriod = z.enum(['month', 'quarter', 'none'])
const NoticePercents = z.array(z.number().int().min(1).max(1000)).max(10)

export const Budget = z.object({
  id: Id,
  /** Null: not of one person. */
  person: Person.nullable(),
  project: z.string().nullable(),
  period: BudgetPeriod,
  microcredits: z.number(),
  noticePercents: z.array(z.number()),
  /** Whether work is stopped at the limit. */
  isHard: z.boolean(),
  usedMicrocredits: z.number(),
  /** When it begins anew. */
  renewsAt: Instant.nullable(),
})
export type Budget = z.infer<typeof Budget>

export const Rate = z.object({
  /** Null: on every cluster. */
  cluster: z.string().nullable(),
  /** `*`: every machine that has no rate of its own. */
  machine: z.string(),
  isSpot: z.boolean(),
  microcreditsPerHour: z.number(),
  validFrom: Instant,
})
export type Rate = z.infer<typeof Rate>

const team = z.object({ team: z.string() })
const tags = ['usage']

export const usage = {
  balances: endpoint
    .route({ method: 'GET', path: '/me/balances', summary: 'Credits of my teams and of myself', tags })
    .output(z.object({ items: z.array(Balance) })),
  balance: endpoint
    .route({ method: 'GET', path: '/teams/{team}/balance', summary: 'Credits, pace and forecast', tags })
    .input(team)
    .output(Balance),
  ledger: endpoint
    .route({ method: 'GET', path: '/teams/{team}/ledger', summary: 'What came in and went out', tags })
    .input(team.extend(PageInput.shape))
    .output(page(LedgerEntry)),
  addCredit: endpoint
    .route({
      method: 'POST',
      path: '/teams/{team}/credits',
      summary: 'Give credits; a negative amount takes back what was given by mistake',
      tags,
    })
    .input(
      team.extend({
        microcredits: Amount.min(-creditsMax * microcreditsPerCredit).refine((amount) => amount !== 0, {
          message: 'Give an amount other than nothing',
        }),
        note: z.string().trim().max(500).default(''),
        /** Chosen by the caller: the same one again changes nothing. */
        requestId: Id.optional(),
      }),
    )
    .output(Balance),
  table: endpoint
    .route({ method: 'GET', path: '/teams/{team}/usage', summary: 'Who and what used how much', tags })
    .input(
      team.extend({
        by: UsageGroup.default('person'),
        /** The first of the month by default. */
        from: Instant.optional(),
        to: Instant.optional(),
      }),
    )
    .output(Usage),
  setRules: endpoint
    .route({ method: 'PATCH', path: '/teams/{team}/spending', summary: 'What happens at the end', tags })
    .input(
      team.extend({
        whenEmpty: WhenEmpty.nullable().optional(),
        lowMicrocredits: Amount.min(0).optional(),
      }),
    )
    .output(Balance),
  budgets: endpoint
    .route({ method: 'GET', path: '/teams/{team}/budgets', summary: 'Budgets and how much is used', tags })
    .input(team)
    .output(z.object({ items: z.array(Budget) })),
  createBudget: endpoint
    .route({ method: 'POST', path: '/teams/{team}/budgets', summary: 'Set a budget', tags })
    .input(
      team.extend({
        person: z.string().optional(),
        project: z.string().optional(),
        period: BudgetPeriod,
        microcredits: Amount.min(1),
        noticePercents: NoticePercents.default([80, 100]),
        isHard: z.boolean().default(false),
      }),
    )
    .output(Budget),
  changeBudget: endpoint
    .route({ method: 'PATCH', path: '/teams/{team}/budgets/{budgetId}', summary: 'Change a budget', tags })
    .input(
      team.extend({
        budgetId: Id,
        microcredits: Amount.min(1).optional(),
        noticePercents: NoticePercents.optional(),
        isHard: z.boolean().optional(),
      }),
    )
    .output(Budget),
  deleteBudget: endpoint
    .route({ method: 'DELETE', path: '/teams/{team}/budgets/{budgetId}', summary: 'Delete a budget', tags })
    .input(team.extend({ budgetId: Id }))
    .output(Ok),
  rates: endpoint
    .route({ method: 'GET', path: '/rates', summary: 'What machines cost now', tags })
    .output(z.object({ items: z.array(Rate) })),
  setRate: endpoint
    .route({
      method: 'PUT',
      path: '/rates',
      summary: 'Set what a machine costs from now on; what runs keeps its rate',
      tags,
    })
    .input(
      z.object({
        cluster: z.string().trim().min(1).max(100).nullable().default(null),
        machine: z.string().trim().min(1).max(100),
        isSpot: z.boolean().default(false),
        microcreditsPerHour: Amount.min(0),
        validFrom: Instant.optional(),
      }),
    )
    .output(z.object({ items: z.array(Rate) })),
}
