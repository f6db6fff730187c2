import type { Balance, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { formatDate, plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { useNow } from '../../ui/time.tsx'
import { tell } from '../../ui/toast.tsx'
import { balanceQuery } from './queries.ts'
import { endWords, formatCredits, microcreditsOf, stateWords } from './words.ts'

const tones = { unlimited: 'plain', enough: 'good', low: 'warn', empty: 'bad' } as const

/** What is left, at what pace it goes, and what happens at its end. */
export function BalanceSection({ team }: { team: Team }) {
  const refused = useRefusal(team)
  const balance = useQuery(balanceQuery(team.slug))
  const [editing, setEditing] = useState<'credits' | 'rules'>()
  const close = () => setEditing(undefined)
  return (
    <Section
      title="Credits"
      says={team.kind === 'personal' ? 'for what runs in your personal team' : 'shared by the team'}
      actions={
        <>
          <Button small refused={refused('budget:edit')} onClick={() => setEditing('rules')}>
            At the end of credits
          </Button>
          <Button small look="primary" refused={refused('credit:add')} onClick={() => setEditing('credits')}>
            Add credits
          </Button>
        </>
      }
    >
      {balance.isError && <Problem error={balance.error} retry={() => void balance.refetch()} />}
      {balance.isPending && <SkeletonRows rows={3} />}
      {balance.data !== undefined && (
        <>
          <Figures balance={balance.data} />
          <Dialog open={editing === 'credits'} onClose={close} title={`Add credits for ${team.slug}`}>
            <CreditForm balance={balance.data} onDone={close} />
          </Dialog>
          <Dialog open={editing === 'rules'} onClose={close} title="At the end of credits">
            <RulesForm balance={balance.data} onDone={close} />
          </Dialog>
        </>
      )}
    </Section>
  )
}

function Figures({ balance }: { balance: Balance }) {
  const { state, month } = balance
  const isUnlimited = state === 'unlimited'
  return (
    <>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-4 lg:grid-cols-4">
        <Figure
          name="Left"
          value={
            <span className="flex flex-wrap items-center gap-2">
              {!isUnlimited && (
                <span className={state === 'empty' ? 'text-bad' : ''}>
                  {formatCredits(balance.microcredits)}
                </span>
              )}
              <Tag tone={tones[state]}>{stateWords[state]}</Tag>
            </span>
          }
          says={
            isUnlimited
              ? `${formatCredits(balance.usedMicrocredits)} used so far`
              : `of ${formatCredits(balance.grantedMicrocredits)} given`
          }
        />
        <Figure
          name="Used this month"
          value={formatCredits(month.usedMicrocredits)}
          says={`about ${formatCredits(month.forecastMicrocredits)} by its end`}
        />
        <Figure
          name="Now"
          value={`${formatCredits(balance.microcreditsPerHour)} an hour`}
          says={`${plural(balance.machines, 'machine')} in use`}
        />
        <Figure
          name="Credits end"
          value={
            balance.endsAt !== null ? (
              <Until at={balance.endsAt} />
            ) : state === 'empty' ? (
              'Now'
            ) : isUnlimited ? (
              'Never'
            ) : (
              'Not at this pace'
            )
          }
          says={balance.endsAt !== null ? 'at the present pace' : isUnlimited ? 'no limit is set' : undefined}
        />
      </dl>
      <p className="mt-4 text-[13px] text-ink-faint">
        {isUnlimited
          ? 'This team was never given credits, so nothing is held back; what machines cost is counted all the same. Credits that are added become the limit, less what was used.'
          : `At the end: ${endWords[balance.whenEmpty].toLowerCase()}. Admins hear of it from ${formatCredits(balance.lowMicrocredits)} on. Nothing is ever deleted for want of credits.`}
      </p>
    </>
  )
}

function Figure({ name, value, says }: { name: string; value: ReactNode; says?: string | undefined }) {
  return (
    <div>
      <dt className="text-[13px] text-ink-faint">{name}</dt>
      <dd className="text-lg font-medium tabular-nums">{value}</dd>
      {says !== undefined && <dd className="text-[13px] text-ink-faint">{says}</dd>}
    </div>
  )
}

/** Soon in hours, later as a date. */
function Until({ at }: { at: string }) {
  const hours = (Date.parse(at) - useNow(60)) / 3_600_000
  return (
    <time dateTime={at} title={at}>
      {hours < 48
        ? `in ${hours < 1 ? 'less than an hour' : plural(Math.floor(hours), 'hour')}`
        : formatDate(Date.parse(at))}
    </time>
  )
}

function useSaved(onDone: () => void) {
  const queries = useQueryClient()
  return async (said: string) => {
    tell(said)
    onDone()
    await queries.invalidateQueries({ queryKey: api.usage.key() })
  }
}

function CreditForm({ balance, onDone }: { balance: Balance; onDone: () => void }) {
  const saved = useSaved(onDone)
  // A second try after a lost answer gives nothing twice. Browsers have no such ids on addresses without TLS.
  const [request] = useState(() => ('randomUUID' in crypto ? { requestId: crypto.randomUUID() } : {}))
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const microcredits = microcreditsOf(fieldOf(form, 'credits'))
    await grid.usage.addCredit({ team: balance.team, microcredits, note: fieldOf(form, 'note'), ...request })
    await saved(`${formatCredits(microcredits)} credits for ${balance.team}`)
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field
        label="Credits"
        help={
          balance.state === 'unlimited'
            ? `The first credits end the unlimited use. What was used so far, ${formatCredits(balance.usedMicrocredits)}, is taken off.`
            : 'Below zero takes back what was given by mistake.'
        }
        error={error?.message}
      >
        {(props) => (
          <Input {...props} name="credits" type="number" step="any" inputMode="decimal" required autoFocus />
        )}
      </Field>
      <Field label="Note" help="For the books, for example a purchase order.">
        {(props) => <Input {...props} name="note" maxLength={500} />}
      </Field>
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Add credits
      </Button>
    </form>
  )
}

function RulesForm({ balance, onDone }: { balance: Balance; onDone: () => void }) {
  const saved = useSaved(onDone)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const rule = fieldOf(form, 'whenEmpty')
    await grid.usage.setRules({
      team: balance.team,
      // What was not chosen stays the server's usual rule, which changes with the first credits.
      ...(rule === balance.whenEmpty
        ? {}
        : { whenEmpty: rule === '' ? null : (rule as Balance['whenEmpty']) }),
      lowMicrocredits: microcreditsOf(fieldOf(form, 'low')),
    })
    await saved('Saved')
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field label="When no credits are left">
        {(props) => (
          <Select {...props} name="whenEmpty" defaultValue={balance.whenEmpty} className="w-full">
            <option value="">As usual: tell only, and pause once there were credits</option>
            {(['warn', 'pause', 'stop'] as const).map((rule) => (
              <option key={rule} value={rule}>
                {endWords[rule]}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Field label="Few are left from" help="Credits. Admins are told once." error={error?.message}>
        {(props) => (
          <Input
            {...props}
            name="low"
            type="number"
            min={0}
            step="any"
            inputMode="decimal"
            required
            defaultValue={balance.lowMicrocredits / 1_000_000}
          />
        )}
      </Field>
      <p className="text-[13px] text-ink-faint">
        It holds as soon as the team was given credits. Nothing is ever deleted for want of them.
      </p>
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Save
      </Button>
    </form>
  )
}
