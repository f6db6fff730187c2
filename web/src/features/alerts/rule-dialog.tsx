import { type AlertCondition, type AlertRule, artifactWords, type Team } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Checkbox, Field, Input, Select } from '../../ui/field.tsx'
import { channelsQuery } from './queries.ts'
import { waitChoices, wordsOfWait } from './words.ts'

type Kind = AlertCondition['kind']

const kinds: [Kind, string][] = [
  ['threshold', 'A metric goes above or below a value'],
  ['change', 'A metric changes by an amount'],
  ['zscore', 'A metric jumps away from its last values'],
  ['nonfinite', 'A metric is NaN or infinite'],
  ['regression', 'A finished experiment is worse than the best, or than a pinned one'],
  ['state', 'An experiment fails, crashes, finishes or is stopped'],
  ['silent', 'An experiment gives no sign of life'],
  ['script', 'A script reports something with wandb.alert()'],
  ['artifact', 'An artifact is created, linked, or gets an alias or a tag'],
]
const states = ['failed', 'crashed', 'finished', 'killed'] as const
const levels = ['info', 'warn', 'error'] as const

/** Makes or edits a rule. What was typed stays when the server refuses. */
export function RuleDialog({
  team,
  rule,
  onClose,
  onSaved,
}: {
  team: Team
  rule: AlertRule | undefined
  onClose: () => void
  onSaved: () => void
}) {
  const may = useRefusal(team)
  const projects = useQuery(api.projects.list.queryOptions({ input: { team: team.slug } }))
  const channels = useQuery(channelsQuery(team.slug))
  const mayManage = may('alert:manage') === undefined
  const [reach, setReach] = useState(rule?.reach ?? (mayManage ? 'team' : 'mine'))
  const [kind, setKind] = useState<Kind>(rule?.condition.kind ?? 'threshold')
  const before = rule?.condition.kind === kind ? rule.condition : undefined
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const input = {
      team: team.slug,
      name: fieldOf(form, 'name'),
      project: fieldOf(form, 'project') || null,
      condition: conditionOf(kind, form),
      filters: filtersOf(kind, rule, fieldOf(form, 'tag'), fieldOf(form, 'contains')),
      audience: (fieldOf(form, 'audience') || 'owner') as AlertRule['audience'],
      channelIds: reach === 'mine' ? [] : form.getAll('channel').map(String),
      level: fieldOf(form, 'level') as AlertRule['level'],
      waitSeconds: Number(fieldOf(form, 'wait')),
    }
    if (rule) await grid.alerts.changeRule({ ...input, ruleId: rule.id })
    else await grid.alerts.createRule({ ...input, reach })
    onSaved()
    onClose()
  })
  const filterOf = (column: string) => {
    const value = rule?.filters.find((filter) => filter.column === column)?.value
    return typeof value === 'string' ? value : ''
  }
  return (
    <Dialog open onClose={onClose} title={rule ? `Rule ${rule.name}` : 'New rule'}>
      <form onSubmit={onSubmit} className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Name">
            {(props) => (
              <Input {...props} name="name" required maxLength={255} defaultValue={rule?.name} autoFocus />
            )}
          </Field>
          <Field label="Project">
            {(props) => (
              <Select
                {...props}
                name="project"
                defaultValue={rule?.project ?? ''}
                key={String(projects.isSuccess)}
              >
                <option value="">All projects</option>
                {projects.data?.map((project) => (
                  <option key={project.id} value={project.name}>
                    {project.name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        </div>
        <Field label="When">
          {(props) => (
            <Select {...props} value={kind} onChange={(event) => setKind(event.target.value as Kind)}>
              {kinds.map(([each, says]) => (
                <option key={each} value={each}>
                  {says}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <ConditionFields key={kind} kind={kind} before={before} />
        <details open={(rule?.filters.length ?? 0) > 0}>
          <summary className="cursor-pointer text-[13px] text-ink-soft">
            {kind === 'artifact' ? 'Only some aliases or tags' : 'Only some experiments'}
          </summary>
          <div className="mt-2 grid gap-4 sm:grid-cols-2">
            <Field label="With the tag">
              {(props) => (
                <Input {...props} name="tag" maxLength={128} defaultValue={filterOf(columnsOf(kind)[0])} />
              )}
            </Field>
            <Field label={kind === 'artifact' ? 'With the alias' : 'Whose name contains'}>
              {(props) => (
                <Input
                  {...props}
                  name="contains"
                  maxLength={200}
                  defaultValue={filterOf(columnsOf(kind)[1])}
                />
              )}
            </Field>
          </div>
        </details>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Whose rule" help={reach === 'mine' ? 'It tells you alone.' : undefined}>
            {(props) => (
              <Select
                {...props}
                value={reach}
                disabled={rule !== undefined || !mayManage}
                onChange={(event) => setReach(event.target.value as 'team' | 'mine')}
              >
                <option value="team">The team’s</option>
                <option value="mine">Mine</option>
              </Select>
            )}
          </Field>
          {reach === 'team' && (
            <Field label="Tell">
              {(props) => (
                <Select {...props} name="audience" defaultValue={rule?.audience ?? 'owner'}>
                  <option value="owner">The experiment’s owner</option>
                  <option value="team">Everybody in the team</option>
                  <option value="nobody">Channels only</option>
                </Select>
              )}
            </Field>
          )}
          <Field label="Level">
            {(props) => (
              <Select {...props} name="level" defaultValue={rule?.level ?? 'warn'}>
                {levels.map((level) => (
                  <option key={level}>{level}</option>
                ))}
              </Select>
            )}
          </Field>
          <Field label="How often, per experiment">
            {(props) => (
              <Select {...props} name="wait" defaultValue={rule?.waitSeconds ?? 3600}>
                {[...new Set([...waitChoices.map(([seconds]) => seconds), rule?.waitSeconds ?? 3600])].map(
                  (seconds) => (
                    <option key={seconds} value={seconds}>
                      {wordsOfWait(seconds)}
                    </option>
                  ),
                )}
              </Select>
            )}
          </Field>
        </div>
        {reach === 'team' && (channels.data?.length ?? 0) > 0 && (
          <fieldset>
            <legend className="mb-1 text-[13px] font-medium text-ink-soft">Channels</legend>
            <div className="flex flex-wrap gap-x-4 gap-y-1.5">
              {channels.data!.map((channel) => (
                <Checkbox
                  key={channel.id}
                  name="channel"
                  value={channel.id}
                  defaultChecked={rule?.channelIds.includes(channel.id)}
                  label={`${channel.name} (${channel.kind})`}
                />
              ))}
            </div>
          </fieldset>
        )}
        {error !== undefined && (
          <p role="alert" className="text-[13px] text-bad">
            {error.message}
          </p>
        )}
        <Button type="submit" look="primary" busy={busy} className="self-end">
          {rule ? 'Save' : 'Make rule'}
        </Button>
      </form>
    </Dialog>
  )
}

/** The fields of one kind of condition. */
function ConditionFields({ kind, before }: { kind: Kind; before: AlertCondition | undefined }) {
  const was = (before ?? {}) as Record<string, string | number | null | undefined>
  const number = (name: string, label: string, fallback: number | '', more: object = {}) => (
    <Field label={label}>
      {(props) => (
        <Input
          {...props}
          name={name}
          type="number"
          step="any"
          required
          defaultValue={was[name] ?? fallback}
          {...more}
        />
      )}
    </Field>
  )
  const choice = (name: string, label: string, choices: [string, string][]) => (
    <Field label={label}>
      {(props) => (
        <Select {...props} name={name} defaultValue={String(was[name] ?? choices[0]![0])}>
          {choices.map(([value, says]) => (
            <option key={value} value={value}>
              {says}
            </option>
          ))}
        </Select>
      )}
    </Field>
  )
  const ticks = (name: string, all: readonly string[], on: readonly string[]) => (
    <div className="flex flex-wrap gap-x-4 gap-y-1.5">
      {all.map((value) => (
        <Checkbox key={value} name={name} value={value} defaultChecked={on.includes(value)} label={value} />
      ))}
    </div>
  )
  const metric = (
    <Field label="Metric" help="As logged, such as val/loss.">
      {(props) => (
        <Input {...props} name="metric" required maxLength={1000} defaultValue={was['metric'] ?? ''} />
      )}
    </Field>
  )
  const aggregate = (
    <>
      {choice('aggregate', 'Of', [
        ['', 'the newest value'],
        ['average', 'the average of the last'],
        ['min', 'the lowest of the last'],
        ['max', 'the highest of the last'],
      ])}
      {number('windowValues', 'Values', 1, { step: 1, min: 1, max: 500 })}
    </>
  )
  const direction = choice('direction', 'Which way', [
    ['any', 'up or down'],
    ['increase', 'up'],
    ['decrease', 'down'],
  ])
  const grid = (children: React.ReactNode) => <div className="grid gap-4 sm:grid-cols-2">{children}</div>
  switch (kind) {
    case 'threshold':
      return grid(
        <>
          {metric}
          {choice('operator', 'Is', [
            ['gt', 'above'],
            ['gte', 'at least'],
            ['lt', 'below'],
            ['lte', 'at most'],
          ])}
          {number('value', 'Value', '')}
          {aggregate}
        </>,
      )
    case 'change':
      return grid(
        <>
          {metric}
          {direction}
          {number('amount', 'By', 0.1, { min: 0 })}
          {choice('by', 'As', [
            ['relative', 'a share (0.1 is 10 %)'],
            ['absolute', 'a difference'],
          ])}
          {aggregate}
        </>,
      )
    case 'zscore':
      return grid(
        <>
          {metric}
          {direction}
          {number('deviations', 'Standard deviations', 3, { min: 0 })}
          {number('windowValues', 'Compared with the last … values', 30, { step: 1, min: 2, max: 500 })}
        </>,
      )
    case 'nonfinite':
      return grid(metric)
    case 'regression':
      return grid(
        <>
          {metric}
          {choice('goal', 'Better is', [
            ['minimize', 'lower'],
            ['maximize', 'higher'],
          ])}
          <Field label="Compared with" help="An experiment’s id; empty means the best of the project.">
            {(props) => (
              <Input {...props} name="baseline" maxLength={128} defaultValue={was['baseline'] ?? ''} />
            )}
          </Field>
          {number('tolerance', 'Share that is still fine', 0, { min: 0, max: 100 })}
        </>,
      )
    case 'state':
      return ticks('states', states, before?.kind === 'state' ? before.states : ['failed', 'crashed'])
    case 'silent':
      return grid(number('seconds', 'Seconds', 120, { step: 1, min: 60, max: 300 }))
    case 'script':
      return ticks('levels', levels, before?.kind === 'script' ? before.levels : ['warn', 'error'])
    case 'artifact':
      return grid(
        <>
          {choice('event', 'When', Object.entries(artifactWords))}
          <Field label="Collection" help="Its name in the project chosen above; empty means any.">
            {(props) => (
              <Input {...props} name="collection" maxLength={128} defaultValue={was['collection'] ?? ''} />
            )}
          </Field>
        </>,
      )
  }
  return kind satisfies never
}

function conditionOf(kind: Kind, form: FormData): AlertCondition {
  const metric = fieldOf(form, 'metric').trim()
  const number = (name: string) => Number(fieldOf(form, name))
  const window = {
    aggregate: (fieldOf(form, 'aggregate') || null) as 'average' | 'min' | 'max' | null,
    windowValues: number('windowValues') || 1,
  }
  const direction = fieldOf(form, 'direction') as 'increase' | 'decrease' | 'any'
  switch (kind) {
    case 'threshold':
      return {
        kind,
        metric,
        operator: fieldOf(form, 'operator') as 'gt' | 'gte' | 'lt' | 'lte',
        value: number('value'),
        ...window,
      }
    case 'change':
      return {
        kind,
        metric,
        direction,
        by: fieldOf(form, 'by') as 'absolute' | 'relative',
        amount: number('amount'),
        ...window,
        priorValues: window.windowValues,
      }
    case 'zscore':
      return {
        kind,
        metric,
        direction,
        deviations: number('deviations'),
        windowValues: number('windowValues'),
      }
    case 'nonfinite':
      return { kind, metric }
    case 'regression':
      return {
        kind,
        metric,
        goal: fieldOf(form, 'goal') as 'minimize' | 'maximize',
        baseline: fieldOf(form, 'baseline').trim() || null,
        tolerance: number('tolerance'),
      }
    case 'state':
      return { kind, states: form.getAll('states') as (typeof states)[number][] }
    case 'silent':
      return { kind, seconds: number('seconds') }
    case 'script':
      return { kind, levels: form.getAll('levels') as (typeof levels)[number][] }
    case 'artifact':
      return {
        kind,
        event: fieldOf(form, 'event') as keyof typeof artifactWords,
        collection: fieldOf(form, 'collection').trim() || null,
      }
  }
  return kind satisfies never
}

/** The two filters this form knows; others, set elsewhere, stay. */
function filtersOf(
  kind: Kind,
  rule: AlertRule | undefined,
  tag: string,
  contains: string,
): AlertRule['filters'] {
  const [tagColumn, nameColumn] = columnsOf(kind)
  const isSameSort = (rule?.condition.kind === 'artifact') === (kind === 'artifact')
  const others = (isSameSort ? (rule?.filters ?? []) : []).filter(
    ({ column }) => column !== tagColumn && column !== nameColumn,
  )
  const op = kind === 'artifact' ? ('eq' as const) : ('contains' as const)
  return [
    ...others,
    ...(tag.trim() ? [{ column: tagColumn, op: 'eq' as const, value: tag.trim() }] : []),
    ...(contains.trim() ? [{ column: nameColumn, op, value: contains.trim() }] : []),
  ]
}

/** What the two fields of the form look at: rules on artifacts look at what was given or taken. */
function columnsOf(kind: Kind): [string, string] {
  return kind === 'artifact' ? ['tag', 'alias'] : ['tags', 'name']
}
