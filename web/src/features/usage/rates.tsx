import type { Rate, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { EmptyState, Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Input } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell } from '../../ui/toast.tsx'
import { ratesQuery } from './queries.ts'
import { formatCredits, microcreditsOf } from './words.ts'

const keyOf = (rate: Rate) => JSON.stringify([rate.cluster, rate.machine, rate.isSpot])

/** What machines cost, the same for every team of the organisation. */
export function RatesSection({ team }: { team: Team }) {
  const refused = useRefusal(team)('rate:edit')
  const rates = useQuery(ratesQuery())
  const [editing, setEditing] = useState<Rate | 'new'>()
  const close = () => setEditing(undefined)
  return (
    <Section
      title="Rate card"
      says="the same for every team"
      flush
      actions={
        <Button small refused={refused} onClick={() => setEditing('new')}>
          Set a rate
        </Button>
      }
    >
      {rates.isError && <Problem error={rates.error} retry={() => void rates.refetch()} />}
      {rates.isPending && <SkeletonRows rows={2} />}
      {rates.data?.items.length === 0 && (
        <EmptyState
          title="Machines cost nothing"
          says={
            refused === undefined
              ? 'Time is counted all the same. Set a rate for a kind of machine to charge credits for it by the second.'
              : 'Time is counted all the same. Admins of the organisation set what a kind of machine costs.'
          }
        />
      )}
      {rates.data !== undefined && rates.data.items.length > 0 && (
        <PlainTable label="Rate card" head={['Machine', 'Cluster', 'Credits an hour', 'Since', '']}>
          {rates.data.items.map((rate) => (
            <tr key={keyOf(rate)}>
              <td>
                <span className="flex items-center gap-2 font-medium whitespace-nowrap">
                  {rate.machine === '*' ? 'Any other machine' : rate.machine}
                  {rate.isSpot && <Tag>spot</Tag>}
                </span>
              </td>
              <td className="text-ink-soft">{rate.cluster ?? 'every cluster'}</td>
              <td className="tabular-nums">{formatCredits(rate.microcreditsPerHour)}</td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={rate.validFrom} />
              </td>
              <td className="text-right">
                <Button
                  small
                  refused={refused}
                  aria-label={`Change the rate of ${rate.machine}`}
                  onClick={() => setEditing(rate)}
                >
                  Change
                </Button>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      <Dialog
        open={editing !== undefined}
        onClose={close}
        title={typeof editing === 'object' ? 'Change a rate' : 'Set a rate'}
      >
        <RateForm {...(typeof editing === 'object' ? { rate: editing } : {})} onDone={close} />
      </Dialog>
    </Section>
  )
}

function RateForm({ rate, onDone }: { rate?: Rate; onDone: () => void }) {
  const queries = useQueryClient()
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const cluster = fieldOf(form, 'cluster').trim()
    await grid.usage.setRate({
      machine: rate?.machine ?? fieldOf(form, 'machine'),
      cluster: rate === undefined ? (cluster === '' ? null : cluster) : rate.cluster,
      isSpot: rate?.isSpot ?? form.get('spot') !== null,
      microcreditsPerHour: microcreditsOf(fieldOf(form, 'credits')),
    })
    tell('Saved', 'It holds for what starts from now on.')
    onDone()
    await queries.invalidateQueries({ queryKey: api.usage.key() })
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      {rate === undefined ? (
        <>
          <div className="grid gap-3 sm:grid-cols-2">
            <Field label="Machine" help="Its name on the cluster; * for every other.">
              {(props) => (
                <Input
                  {...props}
                  name="machine"
                  required
                  maxLength={100}
                  autoCapitalize="none"
                  spellCheck={false}
                />
              )}
            </Field>
            <Field label="Cluster" help="Empty for every cluster.">
              {(props) => (
                <Input {...props} name="cluster" maxLength={100} autoCapitalize="none" spellCheck={false} />
              )}
            </Field>
          </div>
          <Checkbox name="spot" label="Spot: may be taken away at any time" />
        </>
      ) : (
        <p className="text-ink-soft">
          <b>{rate.machine === '*' ? 'Any other machine' : rate.machine}</b>
          {rate.isSpot && ' (spot)'} on {rate.cluster ?? 'every cluster'}
        </p>
      )}
      <Field
        label="Credits an hour"
        help="Charged by the second. What runs now keeps the rate it started with."
        error={error?.message}
      >
        {(props) => (
          <Input
            {...props}
            name="credits"
            type="number"
            min={0}
            step="any"
            inputMode="decimal"
            required
            defaultValue={rate === undefined ? '' : rate.microcreditsPerHour / 1_000_000}
          />
        )}
      </Field>
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Save
      </Button>
    </form>
  )
}
