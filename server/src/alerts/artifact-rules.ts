/** Rules on artifacts: heard inside the transaction in which something happens, sent after it. */
import { artifactWords, type Filter, GridError } from '@teamgrid/api'
import { sql } from 'kysely'
import type { ArtifactNews, ArtifactNewsListener } from '../artifacts/service.ts'
import type { Clock } from '../lib/clock.ts'
import { readExpression } from '../lib/regular-expression.ts'
import type { Firing } from './firing.ts'
import type { Notifications } from './notifications.ts'
import { type Alarm, mailOf } from './sentences.ts'
import type { Db, StoredRule } from './store.ts'

const columns = ['alias', 'tag']

export function createArtifactRules(deps: {
  rulesOf: (teamId: string) => Promise<readonly StoredRule[]>
  firing: Pick<Firing, 'deliver'>
  notifications: Notifications
  linkOrigin: string
  clock: Clock
  wake: () => void
}): ArtifactNewsListener {
  const { notifications, clock } = deps

  async function onArtifact(trx: Db, news: ArtifactNews): Promise<void> {
    for (const rule of await deps.rulesOf(news.collection.teamId))
      if (isAbout(rule, news) && (await fits(trx, rule.filters, news))) await speak(trx, rule, news)
  }

  async function speak(trx: Db, rule: StoredRule, news: ArtifactNews): Promise<void> {
    const { collection, event, by } = news
    const words = wordsOf(news)
    const path = pathOf(news)
    const alarm: Alarm = {
      id: '',
      title: rule.title || words.title,
      text: rule.message ? `${rule.message}\n\n${words.text}` : words.text,
      level: rule.level,
      team: collection.teamSlug,
      project: collection.projectName,
      experiment: null,
      url: deps.linkOrigin + path,
      rule: { id: rule.id, name: rule.name },
      createdAt: clock.now().toISOString(),
      details: {
        event,
        author: by,
        collection: collection.name,
        artifact: news.artifact?.id ?? null,
        version: nameOf(news),
        versionIndex: news.artifact?.versionIndex ?? null,
        aliases: news.aliases,
        tags: news.tags,
      },
    }
    await deps.firing.deliver(trx, rule.teamId, rule.channelIds, alarm, rule)
    // Nobody owns a collection, so a rule that tells owners has nobody to tell.
    if (rule.audience === 'nobody' || rule.audience === 'owner') return
    const { title, text, level } = alarm
    await notifications.tell(
      trx,
      {
        teamId: rule.teamId,
        kind: 'rule',
        title,
        text,
        level,
        link: path,
        mail: mailOf(alarm),
        ...(collection.visibility === 'private' ? { hiddenFromAllBut: [collection.keptById] } : {}),
      },
      rule.audience === 'me' ? [rule.ownerId!] : undefined,
    )
  }

  return {
    onArtifact,
    onCommit() {
      notifications.committed()
      deps.wake()
    },
  }
}

/**
 * Filters of a rule on artifacts: each on the aliases or the tags that something is about. Some of them has to fit.
 * @throws GridError invalid, with what is not understood.
 */
export function checkArtifactFilters(filters: readonly Filter[]): void {
  for (const { column, op, value } of filters) {
    if (!columns.includes(column))
      throw new GridError(
        'invalid',
        `A rule on artifacts looks at ${columns.join(' and ')}, not at ${column}.`,
      )
    if (!['eq', 'ne', 'in', 'contains', 'regex'].includes(op))
      throw new GridError('invalid', `A rule on artifacts does not compare by "${op}".`)
    if (op === 'in' ? !Array.isArray(value) : typeof value !== 'string')
      throw new GridError('invalid', `The filter on ${column} takes a text.`)
    if (op === 'regex') readExpression(String(value))
  }
}

function isAbout({ condition, projectId }: StoredRule, { event, collection }: ArtifactNews): boolean {
  return (
    condition.kind === 'artifact' &&
    condition.event === event &&
    (projectId === null || projectId === collection.projectId) &&
    (condition.collection === null || condition.collection === collection.name)
  )
}

async function fits(trx: Db, filters: readonly Filter[], news: ArtifactNews): Promise<boolean> {
  for (const filter of filters) if (!(await fitsOne(trx, filter, news))) return false
  return true
}

async function fitsOne(trx: Db, { column, op, value }: Filter, news: ArtifactNews): Promise<boolean> {
  const names = column === 'alias' ? news.aliases : news.tags
  const text = String(value)
  switch (op) {
    case 'eq':
      return names.includes(text)
    case 'ne':
      return !names.includes(text)
    case 'in':
      return Array.isArray(value) && names.some((name) => value.includes(name))
    case 'contains':
      return names.some((name) => name.toLowerCase().includes(text.toLowerCase()))
    case 'regex': {
      // The database matches in linear time; this process would not.
      const { rows } = await sql<{ found: boolean }>`
        select exists (select 1 from unnest(${names}::text[]) name where name ~ ${readExpression(text).postgres}) as found`.execute(
        trx,
      )
      return rows[0]!.found
    }
    default:
      return false
  }
}

function nameOf({ artifact, collection }: ArtifactNews): string {
  return artifact === null || artifact.versionIndex === null
    ? collection.name
    : `${collection.name}:v${artifact.versionIndex}`
}

function wordsOf(news: ArtifactNews): { title: string; text: string } {
  const names = [...news.aliases, ...news.tags].join(', ')
  const says = artifactWords[news.event].replace(/^an? (artifact|collection)/, nameOf(news))
  const where = `${news.collection.teamSlug}/${news.collection.projectName}`
  return {
    title: `${says}${names && /alias|tag/.test(news.event) ? `: ${names}` : ''}`,
    text: `${says} in ${where}, by ${news.by}.${names ? ` It is about ${names}.` : ''}`,
  }
}

function pathOf({ collection: { teamSlug, projectName, type, name }, artifact }: ArtifactNews): string {
  const version = artifact?.versionIndex == null ? [] : [`v${artifact.versionIndex}`]
  return `/${[teamSlug, projectName, 'artifacts', type, name, ...version].map(encodeURIComponent).join('/')}`
}
