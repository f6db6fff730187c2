import type { BillingInfo, Plan } from '@teamgrid/api'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { grid } from '../../lib/client.ts'
import { formatBytes, formatCount, formatDate } from '../../lib/format.ts'
import { useMe } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Field, Input, TextArea } from '../../ui/field.tsx'
import { DotsIcon } from '../../ui/icons.tsx'
import { Section } from '../../ui/layout.tsx'
import { Menu, MenuItem, MenuLink } from '../../ui/menu.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { planQuery } from './queries.ts'

type Editing = 'plan' | 'billing' | 'billing user'

/** The account: plan, trial, seats and what is used. Nothing here is paid, and nothing asks for a card. */
export function PlanAndUsage() {
  const me = useMe()
  const plan = useQuery(planQuery())
  const [editing, setEditing] = useState<Editing>()
  if (plan.isError) return <Problem error={plan.error} retry={() => void plan.refetch()} />
  if (plan.data === undefined) return <SkeletonRows rows={4} />
  const { data } = plan
  const who =
    data.admins.length === 0 ? 'an organisation admin' : `an organisation admin (${data.admins.join(', ')})`
  const planRefused =
    me?.user.organisationRole === 'admin'
      ? undefined
      : `Your role does not let you change plan and seats. Ask ${who}.`
  const billingRefused =
    data.billing === null ? `Your role does not let you edit billing information. Ask ${who}.` : undefined
  return (
    <>
      <Section
        title={data.organisation}
        says={data.name}
        actions={
          <Menu
            trigger={
              <Button small look="ghost" aria-label={`More for ${data.organisation}`}>
                <DotsIcon />
              </Button>
            }
          >
            <MenuItem refused={billingRefused} onSelect={() => setEditing('billing')}>
              Edit billing information
            </MenuItem>
            <MenuItem refused={planRefused} onSelect={() => setEditing('plan')}>
              Add seats, change plan or trial
            </MenuItem>
            <MenuItem refused={planRefused} onSelect={() => setEditing('billing user')}>
              Change billing user
            </MenuItem>
            {data.contactUrl !== null && (
              <MenuLink render={<a href={data.contactUrl} rel="noreferrer" />}>Contact</MenuLink>
            )}
          </Menu>
        }
      >
        <Trial plan={data} />
        <dl className="grid grid-cols-2 gap-x-6 gap-y-4 sm:grid-cols-4">
          <Figure
            name="Seats"
            value={`${formatCount(data.seats.used)} of ${data.seats.max === null ? 'any number' : formatCount(data.seats.max)}`}
          />
          <Figure name="View-only, free" value={formatCount(data.seats.viewOnly)} />
          <Figure name="Service accounts, free" value={formatCount(data.seats.serviceAccounts)} />
          <Figure name="Open invitations to work" value={formatCount(data.seats.invited)} />
          <Figure name="Teams" value={formatCount(data.teams)} />
          <Figure name="Projects" value={formatCount(data.projects)} />
          <Figure name="Experiments" value={formatCount(data.experiments)} />
          <Figure name="Files and artifacts" value={formatBytes(data.storedBytes)} />
        </dl>
        {data.seats.max !== null && data.seats.used > data.seats.max && (
          <p className="mt-4 text-warn">
            More people work here than there are seats. Nobody loses access; nobody new can join to work.
          </p>
        )}
        <p className="mt-4 text-[13px] text-ink-faint">
          Billing user: {data.billingUser === null ? 'nobody' : data.billingUser.username}. This server takes
          no payments and never asks for a card.
        </p>
      </Section>
      <Dialog open={editing === 'plan'} onClose={() => setEditing(undefined)} title="Plan, seats and trial">
        <PlanForm plan={data} onDone={() => setEditing(undefined)} />
      </Dialog>
      <Dialog open={editing === 'billing'} onClose={() => setEditing(undefined)} title="Billing information">
        <BillingForm info={data.billing ?? {}} onDone={() => setEditing(undefined)} />
      </Dialog>
      <Dialog open={editing === 'billing user'} onClose={() => setEditing(undefined)} title="Billing user">
        <BillingUserForm plan={data} onDone={() => setEditing(undefined)} />
      </Dialog>
    </>
  )
}

function Trial({ plan: { trial } }: { plan: Plan }) {
  if (trial === null) return null
  const date = formatDate(Date.parse(trial.endsAt))
  return (
    <p className="mb-4 flex flex-wrap items-center gap-2">
      <Tag tone={trial.state === 'running' ? 'accent' : 'warn'}>
        {trial.state === 'running' ? 'Trial' : 'Trial ended'}
      </Tag>
      <span className="text-ink-soft">
        {trial.state === 'running'
          ? `Everything works until ${date}. No card is needed, now or then.`
          : `It ended ${date}. Your work is here, and you can export all of it.`}
      </span>
    </p>
  )
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-[13px] text-ink-faint">{name}</dt>
      <dd className="text-base font-medium">{value}</dd>
    </div>
  )
}

function useSaved(onDone: () => void) {
  const queries = useQueryClient()
  return async (next: Plan) => {
    queries.setQueryData(planQuery().queryKey, next)
    tell('Saved')
    onDone()
    await queries.invalidateQueries()
  }
}

function PlanForm({ plan, onDone }: { plan: Plan; onDone: () => void }) {
  const saved = useSaved(onDone)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const seats = fieldOf(form, 'seats').trim()
    const trial = fieldOf(form, 'trial')
    const contact = fieldOf(form, 'contact').trim()
    await saved(
      await grid.organisation.changePlan({
        name: fieldOf(form, 'name'),
        seats: seats === '' ? null : Number(seats),
        // The whole of the last day belongs to it.
        trialEndsAt: trial === '' ? null : `${trial}T23:59:59Z`,
        contactUrl: contact === '' ? null : contact,
      }),
    )
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field label="Plan" help="A name, for people to read.">
        {(props) => <Input {...props} name="name" required maxLength={100} defaultValue={plan.name} />}
      </Field>
      <Field label="Seats" help="Empty for no limit. View-only members and service accounts need none.">
        {(props) => (
          <Input {...props} name="seats" type="number" min={1} step={1} defaultValue={plan.seats.max ?? ''} />
        )}
      </Field>
      <Field
        label="Trial until"
        help="Empty for none. When it ends everything stays readable and exportable."
      >
        {(props) => (
          <Input {...props} name="trial" type="date" defaultValue={plan.trial?.endsAt.slice(0, 10) ?? ''} />
        )}
      </Field>
      <Field label="Where people who want more turn to" help="https://… or mailto:…" error={error?.message}>
        {(props) => <Input {...props} name="contact" maxLength={1000} defaultValue={plan.contactUrl ?? ''} />}
      </Field>
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Save
      </Button>
    </form>
  )
}

function BillingForm({ info, onDone }: { info: BillingInfo; onDone: () => void }) {
  const saved = useSaved(onDone)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await saved(
      await grid.organisation.changeBilling({
        company: fieldOf(form, 'company'),
        email: fieldOf(form, 'email').trim(),
        address: fieldOf(form, 'address'),
        taxId: fieldOf(form, 'taxId'),
        purchaseOrder: fieldOf(form, 'purchaseOrder'),
      }),
    )
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field label="Company">
        {(props) => <Input {...props} name="company" maxLength={300} defaultValue={info.company ?? ''} />}
      </Field>
      <Field label="E-mail for invoices">
        {(props) => <Input {...props} name="email" type="email" defaultValue={info.email ?? ''} />}
      </Field>
      <Field label="Address">
        {(props) => (
          <TextArea {...props} name="address" rows={3} maxLength={2000} defaultValue={info.address ?? ''} />
        )}
      </Field>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Tax number">
          {(props) => <Input {...props} name="taxId" maxLength={300} defaultValue={info.taxId ?? ''} />}
        </Field>
        <Field label="Purchase order">
          {(props) => (
            <Input {...props} name="purchaseOrder" maxLength={300} defaultValue={info.purchaseOrder ?? ''} />
          )}
        </Field>
      </div>
      {error !== undefined && (
        <p role="alert" className="text-bad">
          {error.message}
        </p>
      )}
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Save
      </Button>
    </form>
  )
}

function BillingUserForm({ plan, onDone }: { plan: Plan; onDone: () => void }) {
  const saved = useSaved(onDone)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const username = fieldOf(form, 'username').trim()
    await saved(await grid.organisation.changePlan({ billingUser: username === '' ? null : username }))
  })
  const clear = useMutation({
    mutationFn: () => grid.organisation.changePlan({ billingUser: null }),
    onSuccess: saved,
    onError: tellError,
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <Field
        label="Username"
        help="Edits billing information and sees invoices; needs no access to anybody’s work."
        error={error?.message}
      >
        {(props) => (
          <Input
            {...props}
            name="username"
            required
            maxLength={64}
            autoCapitalize="none"
            spellCheck={false}
            defaultValue={plan.billingUser?.username ?? ''}
          />
        )}
      </Field>
      <div className="flex justify-end gap-2">
        {plan.billingUser !== null && (
          <Button busy={clear.isPending} onClick={() => clear.mutate()}>
            Nobody
          </Button>
        )}
        <Button type="submit" look="primary" busy={busy}>
          Save
        </Button>
      </div>
    </form>
  )
}
