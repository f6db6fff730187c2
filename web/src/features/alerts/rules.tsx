import { type AlertRule, type Team, wordsOfCondition } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { channelsQuery, rulesQuery } from './queries.ts'
import { RuleDialog } from './rule-dialog.tsx'
import { wordsOfAudience, wordsOfWait } from './words.ts'

/** The team's rules and mine: when who is told. */
export function AlertRules({ team }: { team: Team }) {
  const queries = useQueryClient()
  const may = useRefusal(team)
  const rules = useQuery(rulesQuery(team.slug))
  const channels = useQuery(channelsQuery(team.slug))
  const [editing, setEditing] = useState<AlertRule | 'new'>()
  const [removing, setRemoving] = useState<AlertRule>()
  const again = () => queries.invalidateQueries({ queryKey: api.alerts.key() })
  const mayKeep = (rule: AlertRule) => (rule.reach === 'mine' ? undefined : may('alert:manage'))
  const test = (rule: AlertRule) => {
    grid.alerts
      .testRule({ team: team.slug, ruleId: rule.id })
      .then(() => tell('Sent', 'To the rule’s channels, and to you instead of its people.'))
      .catch(tellError)
      .finally(() => void again())
  }
  const turn = (rule: AlertRule) => {
    grid.alerts
      .changeRule({ team: team.slug, ruleId: rule.id, enabled: !rule.enabled })
      .catch(tellError)
      .finally(() => void again())
  }
  const nameOf = (id: string) => channels.data?.find((channel) => channel.id === id)?.name ?? '…'
  return (
    <Section
      title="Rules"
      says="When an experiment does this, they are told."
      flush
      actions={
        <Button small look="primary" refused={may('alert:subscribe')} onClick={() => setEditing('new')}>
          New rule
        </Button>
      }
    >
      {rules.isError ? (
        <Problem error={rules.error} retry={() => void rules.refetch()} />
      ) : rules.data === undefined ? (
        <SkeletonRows rows={3} />
      ) : rules.data.length === 0 ? (
        <p className="px-4 py-3 text-[13px] text-ink-faint">
          None yet. Owners hear of failures and of wandb.alert() without any rule; rules tell the team,
          channels, or you about others’ experiments.
        </p>
      ) : (
        <PlainTable stacks label="Rules" head={['Rule', 'When', 'Who is told', 'Last', '']}>
          {rules.data.map((rule) => (
            <tr key={rule.id} className={rule.enabled ? '' : 'opacity-60'}>
              <td>
                <span className="font-medium">{rule.name}</span>
                <span className="ml-1.5 inline-flex gap-1 align-middle">
                  {rule.reach === 'mine' && <Tag tone="accent">mine</Tag>}
                  {!rule.enabled && <Tag>off</Tag>}
                </span>
                <span className="block text-ink-faint">{rule.project ?? 'all projects'}</span>
              </td>
              <td>
                {wordsOfCondition(rule.condition)}
                <span className="block text-ink-faint">{wordsOfWait(rule.waitSeconds)}</span>
              </td>
              <td>
                {wordsOfAudience(rule)}
                {rule.channelIds.length > 0 && (
                  <span className="block text-ink-faint">{rule.channelIds.map(nameOf).join(', ')}</span>
                )}
              </td>
              <td className="text-ink-soft">
                <Ago at={rule.lastFiredAt} />
              </td>
              <td>
                <div className="flex justify-end gap-1.5">
                  <Button small refused={mayKeep(rule)} onClick={() => test(rule)}>
                    Test
                  </Button>
                  <Button small refused={mayKeep(rule)} onClick={() => turn(rule)}>
                    {rule.enabled ? 'Turn off' : 'Turn on'}
                  </Button>
                  <Button small refused={mayKeep(rule)} onClick={() => setEditing(rule)}>
                    Edit
                  </Button>
                  <Button small look="danger" refused={mayKeep(rule)} onClick={() => setRemoving(rule)}>
                    Delete
                  </Button>
                </div>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      {editing !== undefined && (
        <RuleDialog
          team={team}
          rule={editing === 'new' ? undefined : editing}
          onClose={() => setEditing(undefined)}
          onSaved={() => void again()}
        />
      )}
      <Confirm
        open={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={`Delete the rule ${removing?.name}?`}
        says="What it said stays in the history."
        verb="Delete"
        act={async () => {
          await grid.alerts.deleteRule({ team: team.slug, ruleId: removing!.id })
          await again()
        }}
      />
    </Section>
  )
}
