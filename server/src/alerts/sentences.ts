/** What an alert says, in words, and the shapes that channels want. Pure. */
import type { AlertCondition } from '@teamgrid/api'
import type { Act, StoredExperiment } from '../experiments/types.ts'
import type { Message } from '../mail/message.ts'
import type { Finding } from './condition.ts'

export type AlertWords = { title: string; text: string }

/** An alert as it travels: to channels, into mail and into the app. */
export type Alarm = AlertWords & {
  id: string
  level: 'info' | 'warn' | 'error'
  team: string
  project: string | null
  experiment: { slug: string; name: string; state: string } | null
  /** Of the web app, absolute where the server knows its address. */
  url: string
  rule: { id: string; name: string } | null
  createdAt: string
  details: Record<string, unknown>
}

const operators = { gt: 'above', gte: 'at least', lt: 'below', lte: 'at most' } as const

/** What a rule on a metric saw. */
export function wordsOfFinding(
  condition: Extract<AlertCondition, { metric: string }>,
  { value, reference }: Finding,
): AlertWords {
  const { metric } = condition
  const shown = number(value)
  switch (condition.kind) {
    case 'threshold': {
      const what = condition.aggregate === null ? metric : `${condition.aggregate} of ${metric}`
      return {
        title: `${what} is ${shown}`,
        text: `${what} is ${shown}: ${operators[condition.operator]} ${number(condition.value)}${windowOf(condition)}.`,
      }
    }
    case 'change':
      return {
        title: `${metric} went from ${number(reference!)} to ${shown}`,
        text: `${metric} went from ${number(reference!)} to ${shown}${windowOf(condition)}.`,
      }
    case 'zscore':
      return {
        title: `${metric} jumped to ${shown}`,
        text: `${metric} is ${shown}, more than ${condition.deviations} standard deviations off the mean ${number(reference!)} of the ${condition.windowValues} values before.`,
      }
    case 'nonfinite':
      return { title: `${metric} is ${shown}`, text: `${metric} was logged as ${shown}.` }
    case 'regression':
      return {
        title: `${metric} is worse than the baseline: ${shown} after ${number(reference!)}`,
        text: `${metric} ended at ${shown}; the baseline has ${number(reference!)}.`,
      }
  }
  return condition satisfies never
}

/** Somebody did something to what is not theirs. */
export function wordsOfAct(
  { name, projectName }: Pick<StoredExperiment, 'name' | 'projectName'>,
  { by, what }: Act,
): AlertWords {
  const says = {
    stopped: `${by} asked ${name} to stop`,
    deleted: `${by} deleted ${name}`,
    edited: `${by} edited ${name}`,
    'deleted files of': `${by} deleted files of ${name}`,
  }[what]
  const more = {
    stopped: 'The script ends at its next sign of life; what it logged is kept.',
    deleted: 'Its curves, console and files are gone.',
    edited: 'Its name, notes or tags are others now.',
    'deleted files of': 'The rest of it is kept; which files they were is in the audit log.',
  }[what]
  return { title: says, text: `${says} in project ${projectName}. ${more}` }
}

const endings: Record<string, string> = {
  finished: 'has finished',
  failed: 'failed',
  crashed: 'crashed: it has given no sign of life for five minutes',
  killed: 'was stopped',
  preempted: 'was preempted',
}

export function wordsOfEnd({
  name,
  state,
  exitCode,
}: Pick<StoredExperiment, 'name' | 'state' | 'exitCode'>): AlertWords {
  const how = endings[state] ?? `is ${state}`
  return {
    title: `${name} ${how.split(':')[0]}`,
    text: `${name} ${how}${exitCode === null || exitCode === 0 ? '' : ` (exit code ${exitCode})`}.`,
  }
}

export function wordsOfSilence(name: string, seconds: number): AlertWords {
  return {
    title: `${name} gives no sign of life`,
    text: `${name} has given no sign of life for more than ${seconds} seconds.`,
  }
}

export type Difference = { key: string; value: string; baseline: string }

/**
 * Config keys in which two experiments differ, as text; what is missing is an empty string.
 * @param max more are left out.
 */
export function configDifferences(
  config: Record<string, unknown>,
  baseline: Record<string, unknown>,
  max = 30,
): Difference[] {
  const [mine, theirs] = [flat(config), flat(baseline)]
  const keys = [...new Set([...mine.keys(), ...theirs.keys()])].toSorted()
  return keys
    .filter((key) => mine.get(key) !== theirs.get(key))
    .slice(0, max)
    .map((key) => ({ key, value: mine.get(key) ?? '', baseline: theirs.get(key) ?? '' }))
}

function flat(nested: Record<string, unknown>, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(nested).flatMap(([key, value]): [string, string][] => {
      const name = prefix === '' ? key : `${prefix}.${key}`
      const isNested = typeof value === 'object' && value !== null && !Array.isArray(value)
      if (isNested) return [...flat(value as Record<string, unknown>, name)]
      return [[name, (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 200)]]
    }),
  )
}

export function wordsOfDifferences(name: string, differences: readonly Difference[]): string {
  if (differences.length === 0) return `Its config is that of ${name}.`
  const lines = differences.map(
    ({ key, value, baseline }) => `${key}: ${baseline || '(not set)'} → ${value || '(not set)'}`,
  )
  return `Config compared with ${name}:\n${lines.join('\n')}`
}

/** As mail. */
export function mailOf(alarm: Alarm): Message {
  const facts: [string, string][] = [['Team', alarm.team]]
  if (alarm.project !== null) facts.push(['Project', alarm.project])
  if (alarm.experiment) facts.push(['Experiment', `${alarm.experiment.name} (${alarm.experiment.state})`])
  if (alarm.rule) facts.push(['Rule', alarm.rule.name])
  return {
    subject: `[${alarm.team}] ${alarm.title}`,
    paragraphs: [alarm.text || alarm.title],
    facts,
    ...(/^https?:/.test(alarm.url) ? { button: { label: 'Open', url: alarm.url } } : {}),
    footer: ['Choose what Teamgrid tells you by mail under Settings, Notifications.'],
  }
}

/** What somebody did to what is yours, as mail. */
export function mailOfDeed(deed: { team: string; title: string; text: string; url: string | null }): Message {
  return {
    subject: `[${deed.team}] ${deed.title}`,
    paragraphs: [deed.text || deed.title],
    facts: [['Team', deed.team]],
    ...(deed.url !== null && /^https?:/.test(deed.url) ? { button: { label: 'Open', url: deed.url } } : {}),
    footer: ['Choose what Teamgrid tells you by mail under Settings, Notifications.'],
  }
}

const colours = { info: '#3b82f6', warn: '#d97706', error: '#dc2626' }

/**
 * The body of a Slack-compatible hook (Slack, Mattermost, Rocket.Chat, Discord's /slack). Nothing in it can mention a
 * channel or make a link but ours; `<@U123>` mentions a person, as scripts are used to.
 * Source: Slack, "Formatting text for app surfaces" (escape &, < and >).
 */
export function slackOf(alarm: Alarm): object {
  const where = [alarm.team, alarm.project, alarm.experiment?.name].filter(Boolean).join(' / ')
  return {
    text: `${slackText(alarm.title)} (${slackText(where)})`,
    attachments: [
      {
        color: colours[alarm.level],
        fallback: slackText(alarm.title),
        title: slackText(alarm.title),
        title_link: alarm.url,
        text: slackText(alarm.text),
        footer: slackText(alarm.rule ? `${where}, rule ${alarm.rule.name}` : where),
      },
    ],
  }
}

function slackText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/&lt;(@[UW][A-Z0-9]{2,20})&gt;/g, '<$1>')
}

/** The body of a generic webhook. */
export function webhookOf(alarm: Alarm): object {
  return { type: 'alert', ...alarm }
}

/** Fills `${name}` in the text values of a payload, at any depth; what is unknown stays as it is. */
export function filledPayload(payload: Record<string, unknown>, alarm: Alarm): Record<string, unknown> {
  const said = (key: string) => {
    const value = alarm.details[key]
    return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  }
  const variables: Record<string, string> = {
    alert_title: alarm.title,
    alert_text: alarm.text,
    alert_level: alarm.level,
    entity_name: alarm.team,
    project_name: alarm.project ?? '',
    run_id: alarm.experiment?.slug ?? '',
    run_name: alarm.experiment?.name ?? '',
    run_state: alarm.experiment?.state ?? '',
    run_url: alarm.url,
    event_type: said('event'),
    metric_name: said('metric'),
    metric_value: said('value'),
    rule_name: alarm.rule?.name ?? '',
    event_author: said('author'),
    artifact_collection_name: said('collection'),
    artifact_version: said('version'),
    artifact_version_string: said('version') && `${alarm.team}/${alarm.project}/${said('version')}`,
    artifact_version_index: said('versionIndex'),
  }
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value.replace(/\$\{(\w+)\}/g, (whole, name: string) => variables[name] ?? whole)
    if (Array.isArray(value)) return value.map(fill)
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)]))
    return value
  }
  return fill(payload) as Record<string, unknown>
}

function windowOf(condition: { aggregate: string | null; windowValues: number }): string {
  return condition.aggregate === null ? '' : ` over ${condition.windowValues} values`
}

function number(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : String(value)
}
