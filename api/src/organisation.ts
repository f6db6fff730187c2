/** The organisation: its plan without payment, who pays attention to the bill, what it fixes for its teams, wishes for teams. */
import { z } from 'zod'
import { endpoint, Id, Instant, Ok, Slug } from './base.ts'
import { sso } from './sso.ts'
import { Person, Team } from './teams.ts'

const shortText = z.string().trim().max(300)

/** Nobody is ever asked for a card: what stands here goes onto an invoice that people send each other. */
export const BillingInfo = z.object({
  company: shortText.optional(),
  email: z.union([z.email(), z.literal('')]).optional(),
  address: z.string().trim().max(2000).optional(),
  taxId: shortText.optional(),
  purchaseOrder: shortText.optional(),
})
export type BillingInfo = z.infer<typeof BillingInfo>

export const Plan = z.object({
  organisation: z.string(),
  name: z.string(),
  /** `trial` until the day, `ended` after it; nothing stops working then. */
  trial: z.object({ endsAt: Instant, state: z.enum(['running', 'ended']) }).nullable(),
  seats: z.object({
    /** People who may work; view-only members, service accounts and disabled people need none. */
    used: z.number(),
    /** Null: no limit. */
    max: z.number().nullable(),
    viewOnly: z.number(),
    serviceAccounts: z.number(),
    /** Open invitations to work. */
    invited: z.number(),
  }),
  teams: z.number(),
  projects: z.number(),
  experiments: z.number(),
  storedBytes: z.number(),
  billingUser: Person.nullable(),
  /** Only for organisation admins and the billing user. */
  billing: BillingInfo.nullable(),
  /** Who can change the plan. */
  admins: z.array(z.string()),
  contactUrl: z.string().nullable(),
})
export type Plan = z.infer<typeof Plan>

export const PolicyLocks = z.object({
  /** Switch → the value that every team has. */
  locks: z.record(z.string(), z.union([z.boolean(), z.string()])),
})
export type PolicyLocks = z.infer<typeof PolicyLocks>

export const TeamRequest = z.object({
  id: Id,
  slug: z.string(),
  name: z.string(),
  reason: z.string(),
  requestedBy: Person,
  createdAt: Instant,
  state: z.enum(['open', 'granted', 'declined']),
  decidedBy: Person.nullable(),
  decidedAt: Instant.nullable(),
  note: z.string(),
})
export type TeamRequest = z.infer<typeof TeamRequest>

export const organisation = {
  ...sso,
  plan: endpoint
    .route({
      method: 'GET',
      path: '/organisation/plan',
      summary: 'Plan, seats and usage',
      tags: ['organisation'],
    })
    .output(Plan),
  changePlan: endpoint
    .route({
      method: 'PATCH',
      path: '/organisation/plan',
      summary: 'Change plan, seats, trial and billing user',
      tags: ['organisation'],
    })
    .input(
      z.object({
        name: z.string().trim().min(1).max(100).optional(),
        /** Null: no limit. */
        seats: z.number().int().min(1).max(1_000_000).nullable().optional(),
        /** Null: no trial. */
        trialEndsAt: Instant.nullable().optional(),
        /** Username; null for nobody. */
        billingUser: z.string().nullable().optional(),
        /** A web or mail address for those who want more. */
        contactUrl: z
          .string()
          .trim()
          .max(1000)
          .regex(/^(https?:\/\/|mailto:)\S+$/, 'Give an address that begins with https:// or mailto:')
          .nullable()
          .optional(),
      }),
    )
    .output(Plan),
  changeBilling: endpoint
    .route({
      method: 'PATCH',
      path: '/organisation/billing',
      summary: 'Change billing information; no card is ever asked for',
      tags: ['organisation'],
    })
    .input(BillingInfo)
    .output(Plan),
  locks: endpoint
    .route({
      method: 'GET',
      path: '/organisation/policy',
      summary: 'Policy switches that are fixed for every team',
      tags: ['organisation'],
    })
    .output(PolicyLocks),
  setLocks: endpoint
    .route({
      method: 'PUT',
      path: '/organisation/policy',
      summary: 'Fix policy switches for every team; what is left away is free again',
      tags: ['organisation'],
    })
    .input(PolicyLocks)
    .output(PolicyLocks),
  requestTeam: endpoint
    .route({
      method: 'POST',
      path: '/organisation/team-requests',
      summary: 'Ask the organisation’s admins for a team',
      tags: ['organisation'],
    })
    .input(
      z.object({
        slug: Slug,
        name: z.string().trim().max(200).optional(),
        reason: z.string().trim().max(2000).optional(),
      }),
    )
    .output(TeamRequest),
  teamRequests: endpoint
    .route({
      method: 'GET',
      path: '/organisation/team-requests',
      summary: 'Wishes for teams: all for admins, one’s own for others',
      tags: ['organisation'],
    })
    .output(z.array(TeamRequest)),
  grantTeam: endpoint
    .route({
      method: 'POST',
      path: '/organisation/team-requests/{requestId}/grant',
      summary: 'Make the team; who asked becomes its admin',
      tags: ['organisation'],
    })
    .input(z.object({ requestId: Id }))
    .output(Team),
  declineTeam: endpoint
    .route({
      method: 'POST',
      path: '/organisation/team-requests/{requestId}/decline',
      summary: 'Decline a wish for a team, or take back one’s own',
      tags: ['organisation'],
    })
    .input(z.object({ requestId: Id, note: z.string().trim().max(2000).optional() }))
    .output(Ok),
}
