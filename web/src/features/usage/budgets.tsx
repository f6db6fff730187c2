import type { Budget, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { EmptyState, Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Input, Select } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { tell } from '../../ui/toast.tsx'
import { budgetsQuery, membersQuery, projectsQuery } from './queries.ts'
import { formatCredits, microcreditsOf, percentsOf } from './words.ts'

const periodWords = { month: 'each month', quarter: 'each quarter', none: 'once' } as const

function nameOf(budget: Budget): string {
  return budget.person?.username ?? budget.project ?? 'the whole team'
}

/** Limits for the team, a person or a project, and how much of them is used. */
export function BudgetsSection({ team }: { team: Team }) {
  const refused = useRefusal(team)('budget:edit')
  const queries = useQueryClient()
  const budgets = useQuery(budgetsQuery(team.slug))
  const [editing, setEditing] = useState<Budget | 'new'>()
  const [deleting, setDeleting] = useState<Budget>()
  const close = () => setEditing(undefined)
  return (
    <Section
      title="Budgets"
      flush
      actions={
        <Button small refused={refused} onClick={() => setEditing('new')}>
          New budget
        </Button>
      }
    >
      {budgets.isError && <Problem error={budgets.error} retry={() => void budgets.refetch()} />}
      {budgets.isPending && <SkeletonRows rows={2} />}
      {budgets.data?.items.length === 0 && (
        <EmptyState
          title="No budgets"
          says={
            refused === undefined
              ? 'A budget limits what the team, a person or a project uses in a month or quarter. It tells admins at the percentages you name, and stops machines at the limit if you want it to. New budget makes one.'
              : 'A budget limits what the team, a person or a project uses. Admins of the team set them.'
          }
        />
      )}
      <ul>
        {budgets.data?.items.map((budget) => (
          <li
            key={budget.id}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 border-t border-line px-4 py-3 text-[13px] first:border-t-0"
          >
            <BudgetBar budget={budget} />
            <div className="ml-auto flex gap-2">
              <Button
                small
                refused={refused}
                aria-label={`Change the budget of ${nameOf(budget)}`}
                onClick={() => setEditing(budget)}
              >
                Change
              </Button>
              <Button
                small
                look="danger"
                refused={refused}
                aria-label={`Delete the budget of ${nameOf(budget)}`}
                onClick={() => setDeleting(budget)}
              >
                Delete
              </Button>
            </div>
          </li>
        ))}
      </ul>
      <Dialog open={editing === 'new'} onClose={close} title={`New budget in ${team.slug}`}>
        <BudgetForm team={team} onDone={close} />
      </Dialog>
      <Dialog
        open={editing !== undefined && editing !== 'new'}
        onClose={close}
        title={typeof editing === 'object' ? `Budget of ${nameOf(editing)}` : ''}
      >
        {typeof editing === 'object' && <BudgetForm team={team} budget={editing} onDone={close} />}
      </Dialog>
      <Confirm
        open={deleting !== undefined}
        onClose={() => setDeleting(undefined)}
        title={deleting === undefined ? '' : `Delete the budget of ${nameOf(deleting)}?`}
        says="Nothing is held to it any more. What was used stays in the books."
        verb="Delete"
        act={async () => {
          await grid.usage.deleteBudget({ team: team.slug, budgetId: deleting!.id })
          await queries.invalidateQueries({ queryKey: api.usage.key() })
        }}
      />
    </Section>
  )
}

function BudgetBar({ budget }: { budget: Budget }) {
  const percent = Math.floor((budget.usedMicrocredits / budget.microcredits) * 100)
  const tone = percent >= 100 ? 'bg-bad' : percent >= 80 ? 'bg-warn' : 'bg-accent'
  return (
    <div className="min-w-56 flex-1">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="text-sm font-medium">
          {budget.person?.username ?? budget.project ?? 'The whole team'}
        </span>
        <span className="text-ink-faint">
          {budget.person !== null && 'person, '}
          {budget.project !== null && 'project, '}
          {periodWords[budget.period]}
          {budget.renewsAt !== null && `, anew on ${budget.renewsAt.slice(0, 10)}`}
        </span>
        {budget.isHard && <Tag>stops machines</Tag>}
        {percent >= 100 && <Tag tone="bad">used up</Tag>}
      </p>
      <div
        role="progressbar"
        aria-label={`Budget of ${nameOf(budget)}`}
        aria-valuenow={Math.min(100, percent)}
        aria-valuetext={`${percent} %`}
        className="mt-1.5 h-2 overflow-hidden rounded bg-sunken"
      >
        <div className={`h-full ${tone}`} style={{ width: `${Math.min(100, percent)}%` }} />
      </div>
      <p className="mt-1 text-ink-soft tabular-nums">
        {formatCredits(budget.usedMicrocredits)} of {formatCredits(budget.microcredits)} credits, {percent} %
        {budget.noticePercents.length > 0 && (
          <span className="text-ink-faint"> · tells at {budget.noticePercents.join(', ')} %</span>
        )}
      </p>
    </div>
  )
}

function BudgetForm({ team, budget, onDone }: { team: Team; budget?: Budget; onDone: () => void }) {
  const queries = useQueryClient()
  const members = useQuery({
    ...membersQuery(team.slug),
    enabled: budget === undefined && team.kind === 'team',
  })
  const projects = useQuery({ ...projectsQuery(team.slug), enabled: budget === undefined })
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const noticePercents = percentsOf(fieldOf(form, 'notices'))
    if (noticePercents === undefined)
      throw new Error('Notices are at most ten whole percentages from 1 to 1000, for example 80, 100')
    const wanted = {
      team: team.slug,
      microcredits: microcreditsOf(fieldOf(form, 'credits')),
      noticePercents,
      isHard: form.get('hard') !== null,
    }
    if (budget === undefined) {
      const [kind, name = ''] = fieldOf(form, 'of').split(/:(.*)/s)
      await grid.usage.createBudget({
        ...wanted,
        ...(kind === 'person' ? { person: name } : {}),
        ...(kind === 'project' ? { project: name } : {}),
        period: fieldOf(form, 'period') as Budget['period'],
      })
    } else await grid.usage.changeBudget({ ...wanted, budgetId: budget.id })
    tell('Saved')
    onDone()
    await queries.invalidateQueries({ queryKey: api.usage.key() })
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      {budget === undefined && (
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="For">
            {(props) => (
              <Select {...props} name="of">
                <option value="team:">The whole team</option>
                {members.data !== undefined && members.data.length > 0 && (
                  <optgroup label="Person">
                    {members.data.map(({ username }) => (
                      <option key={username} value={`person:${username}`}>
                        {username}
                      </option>
                    ))}
                  </optgroup>
                )}
                {projects.data !== undefined && projects.data.length > 0 && (
                  <optgroup label="Project">
                    {projects.data.map(({ name }) => (
                      <option key={name} value={`project:${name}`}>
                        {name}
                      </option>
                    ))}
                  </optgroup>
                )}
              </Select>
            )}
          </Field>
          <Field label="Period">
            {(props) => (
              <Select {...props} name="period">
                <option value="month">Each month</option>
                <option value="quarter">Each quarter</option>
                <option value="none">Once, without end</option>
              </Select>
            )}
          </Field>
        </div>
      )}
      <Field label="Credits">
        {(props) => (
          <Input
            {...props}
            name="credits"
            type="number"
            min={0.000001}
            step="any"
            inputMode="decimal"
            required
            defaultValue={budget === undefined ? '' : budget.microcredits / 1_000_000}
          />
        )}
      </Field>
      <Field label="Tell admins at" help="Percentages of the budget, for example 80, 100. Empty for none.">
        {(props) => (
          <Input {...props} name="notices" defaultValue={(budget?.noticePercents ?? [80, 100]).join(', ')} />
        )}
      </Field>
      <Checkbox name="hard" label="Stop its machines at the limit" defaultChecked={budget?.isHard ?? false} />
      {error !== undefined && (
        <p role="alert" className="text-bad">
          {error.message}
        </p>
      )}
      <Button type="submit" look="primary" busy={busy} className="self-end">
        {budget === undefined ? 'Create budget' : 'Save'}
      </Button>
    </form>
  )
}
