/**
 * Rules on metrics, looked at as lines arrive. Nothing is searched on the way in: for each rule and experiment the newest
 * values are kept in memory, and only a rule that is about to speak costs a query. After a restart a window is filled
 * again from the newest stored lines.
 */
import type { Experiments } from '../experiments/service.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import type { Clock } from '../lib/clock.ts'
import type { Line } from '../stores/clickhouse/metric-types.ts'
import {
  type Finding,
  findingOf,
  isMetricCondition,
  type MetricCondition,
  valuesNeeded,
} from './condition.ts'
import type { StoredRule } from './store.ts'

/** Rule × experiment pairs; beyond it the longest unused is dropped and filled again when it is needed. */
const windowsMax = 50_000
/** How far back a window is looked for after a restart, in lines. */
const seedLinesMax = 2000

type Window = {
  values: number[]
  /** Lines before this one are in. */
  nextLine: number
  /** Spoken, so nothing needs to be asked before (epoch ms). */
  quietUntil: number
}

export function createWatch(deps: {
  rulesOf: (teamId: string) => Promise<readonly StoredRule[]>
  newestValues: Experiments['watching']['newestValues']
  speak: (rule: StoredRule, experiment: StoredExperiment, finding: Finding, step: number) => Promise<void>
  clock: Clock
}) {
  const windows = new Map<string, Window>()

  /** Looks at new lines of history of one experiment, in line order. */
  async function see(experiment: StoredExperiment, lines: readonly Line[]): Promise<void> {
    for (const rule of await deps.rulesOf(experiment.teamId)) {
      const { condition } = rule
      if (!isMetricCondition(condition)) continue
      if (rule.projectId !== null && rule.projectId !== experiment.projectId) continue
      await seeFor(rule, condition, experiment, lines)
    }
  }

  async function seeFor(
    rule: StoredRule,
    condition: MetricCondition,
    experiment: StoredExperiment,
    lines: readonly Line[],
  ): Promise<void> {
    const logged = lines.filter(({ numbers }) => numbers[condition.metric] !== undefined)
    if (logged.length === 0) return
    const window = await windowOf(rule, condition, experiment, logged[0]!.line)
    let found: { finding: Finding; step: number } | undefined
    for (const { line, step, numbers } of logged) {
      // A line that comes again counts once.
      if (line < window.nextLine) continue
      window.nextLine = line + 1
      window.values.push(numbers[condition.metric]!)
      if (window.values.length > valuesNeeded(condition)) window.values.shift()
      const finding = findingOf(condition, window.values)
      found ??= finding && { finding, step }
    }
    const now = deps.clock.now().getTime()
    if (!found || now < window.quietUntil) return
    await deps.speak(rule, experiment, found.finding, found.step)
    window.quietUntil = now + rule.waitSeconds * 1000
  }

  async function windowOf(
    rule: StoredRule,
    condition: MetricCondition,
    experiment: StoredExperiment,
    firstLine: number,
  ): Promise<Window> {
    // A rule that was changed begins anew.
    const key = `${rule.id} ${rule.updatedAt.getTime()} ${experiment.id}`
    const known = windows.get(key)
    if (known) {
      windows.delete(key)
      windows.set(key, known)
      return known
    }
    const needed = valuesNeeded(condition) - 1
    const isFresh = firstLine === 0 || needed === 0
    const before = isFresh
      ? []
      : await deps.newestValues(experiment.id, condition.metric, {
          beforeLine: firstLine,
          lines: Math.min(seedLinesMax, needed * 4),
        })
    const window = { values: needed === 0 ? [] : before.slice(-needed), nextLine: 0, quietUntil: 0 }
    windows.set(key, window)
    if (windows.size > windowsMax) windows.delete(windows.keys().next().value!)
    return window
  }

  return { see }
}
