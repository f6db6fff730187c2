/** Experiments that ended: rules on states and regressions look at them, and their owner hears how it went. */
import type { AlertCondition } from '@teamgrid/api'
import { sql } from 'kysely'
import type { Experiments } from '../experiments/service.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import { findFlattened } from '../lib/flatten.ts'
import { isJsonObject } from '../lib/tolerant-json.ts'
import type { Clock } from '../lib/clock.ts'
import { isRegression } from './condition.ts'
import type { Firing } from './firing.ts'
import {
  type AlertWords,
  configDifferences,
  wordsOfDifferences,
  wordsOfEnd,
  wordsOfFinding,
} from './sentences.ts'
import type { Db, StoredRule } from './store.ts'

const atOnceMax = 20
const leaseSeconds = 60
const triesMax = 5

export function createEnds(deps: {
  db: Db
  watching: Experiments['watching']
  rulesOf: (teamId: string) => Promise<readonly StoredRule[]>
  firing: Firing
  clock: Clock
  log: (text: string, error: unknown) => void
}) {
  const { db, watching, firing, clock } = deps

  /** Inside the transaction that ends an experiment. */
  async function note(trx: Db, { id, state }: StoredExperiment): Promise<void> {
    const now = clock.now()
    await trx
      .insertInto('alert_checks')
      .values({ experiment_id: id, state, next_try_at: now })
      .onConflict((conflict) =>
        conflict.column('experiment_id').doUpdateSet({ state, tries: 0, next_try_at: now }),
      )
      .execute()
  }

  /** Looks at all that ended. */
  async function step(): Promise<void> {
    for (let due = await claim(); due.length > 0; due = await claim())
      for (const each of due)
        await look(each).catch((error: unknown) => deps.log('Looking at an end failed', error))
  }

  type Due = { experiment_id: string; state: string; tries: number }

  async function claim(): Promise<Due[]> {
    const now = clock.now()
    await db.deleteFrom('alert_checks').where('tries', '>=', triesMax).execute()
    const due = db
      .selectFrom('alert_checks')
      .select('experiment_id')
      .where('next_try_at', '<=', now)
      .orderBy('next_try_at')
      .limit(atOnceMax)
      .forUpdate()
      .skipLocked()
    return await db
      .updateTable('alert_checks')
      .set({ tries: sql`tries + 1`, next_try_at: new Date(now.getTime() + leaseSeconds * 1000) })
      .where('experiment_id', 'in', due)
      .returning(['experiment_id', 'state', 'tries'])
      .execute()
  }

  async function look({ experiment_id, state, tries }: Due): Promise<void> {
    const found = await watching.load(experiment_id)
    // It may run again by now; what is told is how it ended.
    const experiment = found && { ...found, state: state as StoredExperiment['state'] }
    const speaking = experiment ? await rulesThatSpeak(experiment) : []
    await db.transaction().execute(async (trx) => {
      const done = await trx
        .deleteFrom('alert_checks')
        .where('experiment_id', '=', experiment_id)
        .where('tries', '=', tries)
        .where('state', '=', state)
        .returning('experiment_id')
        .executeTakeFirst()
      if (!done || !experiment) return
      const told = new Set<string>()
      for (const { rule, words, details } of speaking)
        for (const userId of (await firing.fire(trx, rule, experiment, words, details)) ?? [])
          told.add(userId)
      if (told.has(experiment.createdBy.id)) return
      const isBad = state === 'failed' || state === 'crashed'
      await firing.tellOwner(trx, isBad ? 'failure' : 'finish', experiment, {
        id: '',
        ...wordsOfEnd(experiment),
        level: isBad ? 'error' : 'info',
        details: { event: state },
      })
    })
  }

  type Speaking = { rule: StoredRule; words: AlertWords; details: Record<string, unknown> }

  async function rulesThatSpeak(experiment: StoredExperiment): Promise<Speaking[]> {
    const speaking: Speaking[] = []
    for (const rule of await deps.rulesOf(experiment.teamId)) {
      if (rule.projectId !== null && rule.projectId !== experiment.projectId) continue
      const { condition } = rule
      if (condition.kind === 'state' && (condition.states as string[]).includes(experiment.state))
        speaking.push({ rule, words: wordsOfEnd(experiment), details: { event: experiment.state } })
      if (condition.kind === 'regression' && experiment.state === 'finished') {
        const words = await regressionOf(rule, condition, experiment)
        if (words) speaking.push({ rule, ...words })
      }
    }
    return speaking
  }

  async function regressionOf(
    rule: StoredRule,
    condition: Extract<AlertCondition, { kind: 'regression' }>,
    experiment: StoredExperiment,
  ): Promise<Omit<Speaking, 'rule'> | undefined> {
    const baseline =
      condition.baseline === null
        ? await watching.bestOf(experiment, condition.metric, condition.goal)
        : await watching.loadNamed({
            team: experiment.teamSlug,
            project: experiment.projectName,
            slug: condition.baseline,
          })
    if (!baseline || baseline.id === experiment.id) return undefined
    const [value, reference] = [experiment, baseline].map(({ summary }) =>
      summaryNumber(summary, condition.metric, condition.goal),
    )
    if (value === undefined || reference === undefined || !isRegression(condition, value, reference))
      return undefined
    const differences = configDifferences(
      watching.plainConfig(experiment.config),
      watching.plainConfig(baseline.config),
    )
    const words = wordsOfFinding(condition, { value, reference })
    return {
      words: {
        title: `${experiment.name}: ${words.title}`,
        text: `${words.text}\n\n${wordsOfDifferences(baseline.name, differences)}`,
      },
      details: {
        event: 'regression',
        metric: condition.metric,
        value: Number.isFinite(value) ? value : String(value),
        reference,
        baseline: { slug: baseline.slug, name: baseline.name },
        differences,
      },
    }
  }

  return { note, step }
}

/** A number of the summary; where the script keeps the best of a key, that one. NaN is a number here. */
function summaryNumber(
  summary: Record<string, unknown>,
  metric: string,
  goal: 'minimize' | 'maximize',
): number | undefined {
  const found = findFlattened(summary, metric)
  const value = isJsonObject(found)
    ? (found['best'] ?? found[goal === 'minimize' ? 'min' : 'max'] ?? found['last'])
    : found
  if (typeof value === 'number') return value
  return ['NaN', 'Infinity', '-Infinity'].includes(value as string) ? Number(value) : undefined
}
