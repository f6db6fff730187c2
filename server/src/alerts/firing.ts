/** A rule speaks: once per experiment and wait time, to people and to channels. */
import type { Filter } from '@teamgrid/api'
import { sql } from 'kysely'
import type { StoredExperiment } from '../experiments/types.ts'
import type { Clock } from '../lib/clock.ts'
import { newId } from '../lib/ids.ts'
import type { Sealed } from '../lib/sealed.ts'
import type { Mailer } from '../mail/mailer.ts'
import type { Notifications } from './notifications.ts'
import { type Alarm, type AlertWords, filledPayload, mailOf, slackOf, webhookOf } from './sentences.ts'
import { type Db, listChannels, type StoredChannel, type StoredRule } from './store.ts'

/** A channel that would get more in an hour is spared; the history says so. */
const perChannelAndHourMax = 120

export type Firing = ReturnType<typeof createFiring>

export function createFiring(deps: {
  mailer: Mailer
  sealed: Sealed
  notifications: Notifications
  fits: (experiment: StoredExperiment, filters: readonly Filter[]) => boolean
  /** Where links in mails lead; empty when the server does not know its address. */
  linkOrigin: string
  clock: Clock
}) {
  const { mailer, sealed, notifications, clock } = deps

  /**
   * Speaks about an experiment, unless the rule has spoken about it within its wait time or its filters do not fit.
   * @returns whom it reached, or undefined when it kept quiet.
   */
  async function fire(
    trx: Db,
    rule: StoredRule,
    experiment: StoredExperiment,
    words: AlertWords,
    details: Record<string, unknown>,
  ): Promise<string[] | undefined> {
    if (!deps.fits(experiment, rule.filters)) return undefined
    if (!(await mayFire(trx, rule, experiment.id))) return undefined
    const said = { title: rule.title || words.title, text: saidText(rule.message, words.text) }
    const id = newId(clock.now().getTime())
    await trx
      .insertInto('alerts')
      .values({
        id,
        team_id: experiment.teamId,
        experiment_id: experiment.id,
        ...said,
        level: rule.level,
        rule_id: rule.id,
        details: JSON.stringify(details),
        created_at: clock.now(),
      })
      .execute()
    return await route(trx, rule, experiment, { ...said, id, level: rule.level, details })
  }

  /**
   * Notes that the rule speaks now; false when it did so within its wait time. One statement, so that two at once cannot
   * both be the first.
   *
   * @param title what scripts call their alert; empty for what rules find themselves.
   */
  async function mayFire(
    trx: Db,
    rule: StoredRule,
    experimentId: string,
    title: string = '',
  ): Promise<boolean> {
    const now = clock.now()
    const { rows } = await sql`
      insert into alert_firings (rule_id, experiment_id, title, fired_at)
      values (${rule.id}, ${experimentId}, ${title}, ${now})
      on conflict (rule_id, experiment_id, title) do update set fired_at = excluded.fired_at
      where alert_firings.fired_at <= ${new Date(now.getTime() - rule.waitSeconds * 1000)}
      returning 1`.execute(trx)
    return rows.length > 0
  }

  /** Sends an alert that is stored already along the ways of a rule. @returns whom it reached. */
  async function route(
    trx: Db,
    rule: StoredRule,
    experiment: StoredExperiment,
    alert: Pick<Alarm, 'id' | 'title' | 'text' | 'level' | 'details'>,
  ): Promise<string[]> {
    const alarm = alarmOf(experiment, alert, rule)
    await deliver(trx, rule.teamId, rule.channelIds, alarm, rule)
    const people = peopleOf(rule, experiment)
    if (people === 'nobody') return []
    return await notifications.tell(
      trx,
      noticeOf('rule', rule.teamId, alarm, experiment),
      people === 'team' ? undefined : people,
    )
  }

  /** Tells the owner what their script reported, how it ended, or what somebody did to it, when no rule has told them already. */
  async function tellOwner(
    trx: Db,
    kind: 'script' | 'failure' | 'finish' | 'act',
    experiment: StoredExperiment,
    alert: Pick<Alarm, 'id' | 'title' | 'text' | 'level' | 'details'>,
  ): Promise<void> {
    const notice = noticeOf(kind, experiment.teamId, alarmOf(experiment, alert, null), experiment)
    await notifications.tell(trx, notice, [experiment.createdBy.id])
  }

  function alarmOf(
    experiment: StoredExperiment,
    alert: Pick<Alarm, 'id' | 'title' | 'text' | 'level' | 'details'>,
    rule: StoredRule | null,
  ): Alarm {
    return {
      ...alert,
      team: experiment.teamSlug,
      project: experiment.projectName,
      experiment: { slug: experiment.slug, name: experiment.name, state: experiment.state },
      url: `${deps.linkOrigin}${pathOf(experiment)}`,
      rule: rule && { id: rule.id, name: rule.name },
      createdAt: clock.now().toISOString(),
    }
  }

  /** Writes what goes to channels, to be sent after the commit. @returns how many. */
  async function deliver(
    trx: Db,
    teamId: string,
    channelIds: readonly string[],
    alarm: Alarm,
    rule: StoredRule | null,
  ): Promise<number> {
    if (channelIds.length === 0) return 0
    const channels = (await listChannels(trx, teamId)).filter(({ id }) => channelIds.includes(id))
    for (const channel of channels) await deliverTo(trx, channel, alarm, rule)
    return channels.length
  }

  async function deliverTo(
    trx: Db,
    channel: StoredChannel,
    alarm: Alarm,
    rule: StoredRule | null,
  ): Promise<void> {
    const now = clock.now()
    const skip = await reasonToSkip(trx, channel, now)
    const mailIds =
      skip === null && channel.kind === 'email' ? await mailTo(trx, channel, alarm) : ([] as string[])
    await trx
      .insertInto('alert_deliveries')
      .values({
        id: newId(now.getTime()),
        team_id: channel.teamId,
        channel_id: channel.id,
        rule_id: rule?.id ?? null,
        alert_id: rule && alarm.id !== '' ? alarm.id : null,
        title: alarm.title,
        body: skip === null && channel.kind !== 'email' ? bodyFor(channel, alarm, rule) : null,
        mail_ids: mailIds,
        state: skip === null ? 'waiting' : 'skipped',
        error: skip,
        created_at: now,
        next_try_at: now,
        done_at: skip === null ? null : now,
      })
      .execute()
  }

  async function reasonToSkip(trx: Db, channel: StoredChannel, now: Date): Promise<string | null> {
    if (channel.kind === 'email' && !mailer.isOn) return 'No mail server is set'
    const { count } = await trx
      .selectFrom('alert_deliveries')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('channel_id', '=', channel.id)
      .where('created_at', '>', new Date(now.getTime() - 3_600_000))
      .where('state', '!=', 'skipped')
      .executeTakeFirstOrThrow()
    return Number(count) >= perChannelAndHourMax
      ? `More than ${perChannelAndHourMax} messages within an hour`
      : null
  }

  async function mailTo(trx: Db, channel: StoredChannel, alarm: Alarm): Promise<string[]> {
    const addresses = sealed.open(channel.target, channelContext(channel.id)).split(',')
    const ids: string[] = []
    for (const address of addresses) {
      const id = newId(clock.now().getTime())
      if (await mailer.enqueue(trx, address, mailOf(alarm), { id })) ids.push(id)
    }
    return ids
  }

  return { fire, mayFire, route, tellOwner, deliver }
}

/** Binds a sealed target to its row. */
export function channelContext(id: string, what: 'target' | 'secret' = 'target'): string {
  return `alert-channel:${what}:${id}`
}

function bodyFor(channel: StoredChannel, alarm: Alarm, rule: StoredRule | null): string {
  if (channel.kind === 'slack') return JSON.stringify(slackOf(alarm))
  return JSON.stringify(rule?.payload ? filledPayload(rule.payload, alarm) : webhookOf(alarm))
}

function saidText(message: string | null, text: string): string {
  return message ? `${message}\n\n${text}` : text
}

function peopleOf(rule: StoredRule, experiment: StoredExperiment): 'nobody' | 'team' | string[] {
  switch (rule.audience) {
    case 'nobody':
    case 'team':
      return rule.audience
    case 'owner':
      return [experiment.createdBy.id]
    case 'me':
      return rule.ownerId === null ? 'nobody' : [rule.ownerId]
  }
  return rule.audience satisfies never
}

function pathOf({ teamSlug, projectName, slug }: StoredExperiment): string {
  return `/${[teamSlug, projectName, 'runs', slug].map(encodeURIComponent).join('/')}`
}

function noticeOf(
  kind: 'rule' | 'script' | 'failure' | 'finish' | 'act',
  teamId: string,
  alarm: Alarm,
  experiment: StoredExperiment,
) {
  return {
    teamId,
    kind,
    level: alarm.level,
    title: alarm.title,
    text: alarm.text,
    link: pathOf(experiment),
    mail: mailOf(alarm),
    ...(experiment.visibility === 'private'
      ? { hiddenFromAllBut: [experiment.createdBy.id, experiment.keptById] }
      : {}),
  }
}
