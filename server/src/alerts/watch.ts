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
  /** Of the rule as it was; one that was changed begins anew. */
  of: number
  values: number[]
  /** Lines before this one are in. */
  nextLine: number
  /** Spoken, so nothing needs to be asked before (epoch ms). */
  quietUntil: number
}

const noWindows: ReadonlyMap<string, Window> = new Map()

type MetricRule = { rule: StoredRule; condition: MetricCondition; of: number }

export function createWatch(deps: {
  rulesOf: (teamId: string) => Promise<readonly StoredRule[]>
  newestValues: Experiments['watching']['newestValues']
  speak: (rule: StoredRule, experiment: StoredExperiment, finding: Finding, step: number) => Promise<void>
  clock: Clock
}) {
  /** By experiment, the least recently used first, and by rule. */
  const windows = new Map<string, Map<string, Window>>()
  let windowCount = 0
  const watched = new WeakMap<readonly StoredRule[], MetricRule[]>()

  /** Looks at new lines of history of one experiment, in line order. */
  async function see(experiment: StoredExperiment, lines: readonly Line[]): Promise<void> {
    const rules = metricRulesOf(await deps.rulesOf(experiment.teamId))
    if (rules.length === 0) return
    const known = windowsOf(experiment.id)
    for (const each of rules) {
      const { rule, condition } = each
      if (rule.projectId !== null && rule.projectId !== experiment.projectId) continue
      let window = known.get(rule.id)
      if (window?.of !== each.of) {
        const first = lines.find(({ numbers }) => numbers[condition.metric] !== undefined)
        if (first === undefined) continue
        // Waiting costs more than looking, and nearly always there is nothing to wait for.
        window = { of: each.of, values: [], nextLine: 0, quietUntil: 0 }
        if (first.line > 0 && valuesNeeded(condition) > 1)
          window.values = await valuesBefore(condition, experiment, first.line)
        keep(experiment.id, rule.id, window)
      }
      const found = findingIn(window, condition, lines)
      if (!found) continue
      const now = deps.clock.now().getTime()
      if (now < window.quietUntil) continue
      await deps.speak(rule, experiment, found.finding, found.step)
      window.quietUntil = now + rule.waitSeconds * 1000
    }
  }

  /** Those on metrics; the same list is handed out for many messages. */
  function metricRulesOf(rules: readonly StoredRule[]): MetricRule[] {
    const known = watched.get(rules)
    if (known) return known
    const found = rules.flatMap((rule): MetricRule[] => {
      const { condition } = rule
      if (!isMetricCondition(condition)) return []
      const metric = asKey(condition.metric)
      return [{ rule, condition: { ...condition, metric }, of: rule.updatedAt.getTime() }]
    })
    watched.set(rules, found)
    return found
  }

  function windowsOf(experimentId: string): ReadonlyMap<string, Window> {
    const known = windows.get(experimentId)
    if (known === undefined) return noWindows
    windows.delete(experimentId)
    windows.set(experimentId, known)
    return known
  }

  function keep(experimentId: string, ruleId: string, window: Window): void {
    const known = windows.get(experimentId) ?? new Map<string, Window>()
    windows.set(experimentId, known)
    if (!known.has(ruleId)) windowCount += 1
    known.set(ruleId, window)
    for (const [oldest, dropped] of windows) {
      if (windowCount <= windowsMax || oldest === experimentId) break
      windows.delete(oldest)
      windowCount -= dropped.size
    }
  }

  async function valuesBefore(
    condition: MetricCondition,
    experiment: StoredExperiment,
    beforeLine: number,
  ): Promise<number[]> {
    const needed = valuesNeeded(condition) - 1
    const lines = Math.min(seedLinesMax, needed * 4)
    return (await deps.newestValues(experiment.id, condition.metric, { beforeLine, lines })).slice(-needed)
  }

  return { see }
}

/** Takes the new values into the window. @returns the first finding among them. */
function findingIn(
  window: Window,
  condition: MetricCondition,
  lines: readonly Line[],
): { finding: Finding; step: number } | undefined {
  const needed = valuesNeeded(condition)
  let found: { finding: Finding; step: number } | undefined
  for (const { line, step, numbers } of lines) {
    const value = numbers[condition.metric]
    // A line that comes again counts once.
    if (value === undefined || line < window.nextLine) continue
    window.nextLine = line + 1
    window.values.push(value)
    if (window.values.length > needed) window.values.shift()
    if (found) continue
    const finding = findingOf(condition, window.values)
    if (finding) found = { finding, step }
  }
  return found
}

/** The same text as the engine keeps names of properties, which makes looking one up several times faster. */
function asKey(text: string): string {
  return Object.keys({ [text]: 0 })[0]!
}
