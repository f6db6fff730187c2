import type { Command } from 'commander'
import type { Plan, TeamRequest } from '@teamgrid/api'
import { printWhy } from '../commands/why.ts'
import type { Io } from '../io.ts'
import { overridesOf } from '../team-words.ts'
import { minute } from '../time.ts'
import { adminCommand } from './command.ts'

export function addOrganisationCommands(admin: Command, io: Io): void {
  adminCommand<{ project?: string; experiment?: string }>(admin, io, {
    name: 'why',
    description: 'Why somebody can, or cannot, see a team, a project or an experiment.',
    fields: ['team', 'username', 'project?', 'experiment?'],
    run: async (context, { team, username, project, experiment }) => {
      const answer = await context.client.teams.why({
        team: team!,
        person: username!,
        ...(project === undefined ? {} : { project }),
        ...(experiment === undefined ? {} : { experiment }),
      })
      printWhy(context, answer)
    },
  })
  adminCommand<{ name?: string; seats?: string; trialEnds?: string; billingUser?: string }>(admin, io, {
    name: 'plan',
    description: 'Show plan, seats and trial, or change them.',
    fields: [],
    options: [
      ['--name <name>', 'what the plan is called'],
      ['--seats <seats>', 'a number, or none for no limit'],
      ['--trial-ends <instant>', 'for example 2027-01-31, or none'],
      ['--billing-user <username>', 'who keeps the billing information, or none'],
    ],
    run: async ({ client, json, printJson, say }, _, { name, seats, trialEnds, billingUser }) => {
      const isChange = [name, seats, trialEnds, billingUser].some((each) => each !== undefined)
      const plan = isChange
        ? await client.organisation.changePlan({
            ...(name === undefined ? {} : { name }),
            ...(seats === undefined ? {} : { seats: seats === 'none' ? null : Number(seats) }),
            ...(trialEnds === undefined
              ? {}
              : { trialEndsAt: trialEnds === 'none' ? null : new Date(trialEnds).toISOString() }),
            ...(billingUser === undefined
              ? {}
              : { billingUser: billingUser === 'none' ? null : billingUser }),
          })
        : await client.organisation.plan()
      if (json) printJson(planJson(plan))
      else for (const line of planLines(plan)) say(line)
    },
  })
  adminCommand<{ set?: string[]; free?: string[] }>(admin, io, {
    name: 'lock',
    description: 'Show the policy switches fixed for every team, or fix and free some.',
    fields: [],
    options: [
      ['--set <switch=value...>', 'for example members_delete_runs=off'],
      ['--free <switch...>', 'let teams decide again'],
    ],
    run: async ({ client, json, printJson, printRows }, _, { set, free }) => {
      let { locks } = await client.organisation.locks()
      if (set !== undefined || free !== undefined) {
        const kept = Object.entries(locks).filter(([key]) => !free?.includes(key))
        locks = (
          await client.organisation.setLocks({
            locks: { ...Object.fromEntries(kept), ...overridesOf(set ?? []) },
          })
        ).locks
      }
      if (json) {
        printJson(locks)
        return
      }
      printRows<[string, string | boolean]>({
        columns: [
          { title: 'Fixed For Every Team', cell: ([key]) => key },
          { title: 'Value', cell: ([, value]) => (value === true ? 'on' : value === false ? 'off' : value) },
        ],
        rows: Object.entries(locks),
        json: ([key, value]) => ({ key, value }),
        empty: 'None.',
      })
    },
  })
  const request = admin.command('team-request').description('Wishes for teams.')
  adminCommand(request, io, {
    name: 'list',
    description: 'Who asked for a team.',
    fields: [],
    run: async ({ client, printRows }) => {
      printRows({
        columns: [
          { title: 'Id', cell: (each: TeamRequest) => each.id },
          { title: 'Team', cell: (each) => each.slug },
          { title: 'Asked By', cell: (each) => each.requestedBy.username },
          { title: 'At', cell: (each) => minute(each.createdAt) },
          { title: 'State', cell: (each) => each.state },
        ],
        rows: await client.organisation.teamRequests(),
        json: (each) => ({
          id: each.id,
          team: each.slug,
          name: each.name,
          reason: each.reason,
          requested_by: each.requestedBy.username,
          created_at: each.createdAt,
          state: each.state,
        }),
        empty: 'None.',
      })
    },
  })
  adminCommand(request, io, {
    name: 'grant',
    description: 'Make the team; who asked becomes its admin.',
    fields: ['id'],
    run: async ({ client, json, printJson, done }, { id }) => {
      const team = await client.organisation.grantTeam({ requestId: id! })
      done(`Made team ${team.slug}`)
      if (json) printJson({ team: team.slug, id: team.id, admins: team.admins })
    },
  })
  adminCommand<{ note?: string }>(request, io, {
    name: 'decline',
    description: 'Decline it.',
    fields: ['id'],
    options: [['--note <note>', 'why']],
    run: async ({ client, json, printJson, done }, { id }, { note }) => {
      await client.organisation.declineTeam({ requestId: id!, ...(note === undefined ? {} : { note }) })
      done('Declined')
      if (json) printJson({ id, declined: true })
    },
  })
}

function planLines(plan: Plan): string[] {
  const { seats, trial } = plan
  return [
    `Organisation : ${plan.organisation}`,
    `Plan         : ${plan.name}`,
    `Trial        : ${trial === null ? 'none' : `${trial.state === 'running' ? 'until' : 'ended'} ${minute(trial.endsAt)}`}`,
    `Seats        : ${seats.used} of ${seats.max ?? 'any number'} (${seats.viewOnly} view-only, ${seats.serviceAccounts} service accounts)`,
    `Billing user : ${plan.billingUser?.username ?? 'nobody'}`,
    `Admins       : ${plan.admins.join(', ')}`,
  ]
}

function planJson(plan: Plan): Record<string, unknown> {
  return {
    organisation: plan.organisation,
    plan: plan.name,
    trial: plan.trial && { ends_at: plan.trial.endsAt, state: plan.trial.state },
    seats: {
      used: plan.seats.used,
      max: plan.seats.max,
      view_only: plan.seats.viewOnly,
      service_accounts: plan.seats.serviceAccounts,
      invited: plan.seats.invited,
    },
    billing_user: plan.billingUser?.username ?? null,
    admins: plan.admins,
  }
}
