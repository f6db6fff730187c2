import type { AlertChannel, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { channelsQuery, deliveriesQuery } from './queries.ts'

const targets = {
  email: ['Addresses', 'ada@example.org, team@example.org'],
  slack: ['Incoming webhook', 'https://hooks.slack.com/services/…'],
  webhook: ['Address', 'https://example.org/hooks/teamgrid'],
} as const

/** Where alerts of the team can go. */
export function AlertChannels({ team }: { team: Team }) {
  const queries = useQueryClient()
  const may = useRefusal(team)('alert:manage')
  const channels = useQuery(channelsQuery(team.slug))
  const [kind, setKind] = useState<AlertChannel['kind']>('slack')
  const [adding, setAdding] = useState(false)
  const [secret, setSecret] = useState<string>()
  const [removing, setRemoving] = useState<AlertChannel>()
  const again = () => queries.invalidateQueries({ queryKey: api.alerts.key() })
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const made = await grid.alerts.createChannel({
      team: team.slug,
      name: fieldOf(form, 'name'),
      kind,
      target: fieldOf(form, 'target'),
    })
    setAdding(false)
    if (made.secret !== null) setSecret(made.secret)
    await again()
  })
  const test = (channel: AlertChannel) => {
    grid.alerts
      .testChannel({ team: team.slug, channelId: channel.id })
      .then(() => tell('A test message is on its way', 'The history below tells whether it arrived.'))
      .catch(tellError)
      .finally(() => setTimeout(() => void again(), 1000))
  }
  const [targetLabel, placeholder] = targets[kind]
  return (
    <Section
      title="Channels"
      says="E-mail, Slack-compatible hooks, signed webhooks."
      flush
      actions={
        <Button small refused={may} onClick={() => setAdding(true)}>
          Add channel
        </Button>
      }
    >
      {(channels.data?.length ?? 0) === 0 ? (
        <p className="px-4 py-3 text-[13px] text-ink-faint">None yet.</p>
      ) : (
        <PlainTable stacks label="Channels" head={['Channel', 'Goes to', 'Added', '']}>
          {channels.data!.map((channel) => (
            <tr key={channel.id}>
              <td>
                <span className="font-medium">{channel.name}</span> <Tag>{channel.kind}</Tag>
              </td>
              <td className="max-w-72 truncate text-ink-soft" title={channel.hint}>
                {channel.hint}
              </td>
              <td className="text-ink-soft">
                <Ago at={channel.createdAt} />
              </td>
              <td>
                <div className="flex justify-end gap-1.5">
                  <Button small refused={may} onClick={() => test(channel)}>
                    Test
                  </Button>
                  <Button small look="danger" refused={may} onClick={() => setRemoving(channel)}>
                    Remove
                  </Button>
                </div>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      <Dialog open={adding} onClose={() => setAdding(false)} title="Add channel">
        <form onSubmit={onSubmit} className="flex flex-col gap-3">
          <Field label="Name">
            {(props) => <Input {...props} name="name" required maxLength={64} autoFocus />}
          </Field>
          <Field label="Kind">
            {(props) => (
              <Select
                {...props}
                value={kind}
                onChange={(event) => setKind(event.target.value as AlertChannel['kind'])}
              >
                <option value="slack">Slack, Mattermost, Rocket.Chat …</option>
                <option value="webhook">Webhook, signed</option>
                <option value="email">E-mail</option>
              </Select>
            )}
          </Field>
          <Field label={targetLabel} {...(error === undefined ? {} : { error: error.message })}>
            {(props) => (
              <Input {...props} name="target" required maxLength={2000} placeholder={placeholder} />
            )}
          </Field>
          <Button type="submit" look="primary" busy={busy} className="self-end">
            Add
          </Button>
        </form>
      </Dialog>
      <Dialog open={secret !== undefined} onClose={() => setSecret(undefined)} title="Secret of the webhook">
        <p className="mb-3 text-ink-soft">
          With it the receiver checks the header webhook-signature (Standard Webhooks). It is shown once.
        </p>
        {secret !== undefined && <CommandBlock text={secret} />}
      </Dialog>
      <Confirm
        open={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={`Remove the channel ${removing?.name}?`}
        says="Rules that name it no longer reach it; its history goes too."
        verb="Remove"
        act={async () => {
          await grid.alerts.deleteChannel({ team: team.slug, channelId: removing!.id })
          await again()
        }}
      />
    </Section>
  )
}

const tones = { waiting: 'plain', sent: 'good', failed: 'bad', skipped: 'warn' } as const

/** What was sent where, and what became of it. Only for those who keep the channels. */
export function AlertDeliveries({ team }: { team: Team }) {
  const may = useRefusal(team)('alert:manage')
  const deliveries = useQuery({ ...deliveriesQuery(team.slug), enabled: may === undefined })
  if (may !== undefined) return null
  return (
    <Section title="History" says="Of the last 90 days, newest first." flush>
      {(deliveries.data?.items.length ?? 0) === 0 ? (
        <p className="px-4 py-3 text-[13px] text-ink-faint">Nothing was sent to a channel yet.</p>
      ) : (
        <PlainTable stacks label="Deliveries" head={['Message', 'Channel', 'State', 'When']}>
          {deliveries.data!.items.map((delivery) => (
            <tr key={delivery.id}>
              <td>
                {delivery.title}
                {delivery.rule !== null && <span className="block text-ink-faint">{delivery.rule}</span>}
              </td>
              <td>{delivery.channel}</td>
              <td>
                <Tag tone={tones[delivery.state]}>{delivery.state}</Tag>
                {delivery.error !== null && (
                  <span className="block max-w-80 break-words text-ink-faint">{delivery.error}</span>
                )}
              </td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={delivery.createdAt} />
                {delivery.tries > 1 && <span className="block text-ink-faint">{delivery.tries} tries</span>}
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
    </Section>
  )
}
