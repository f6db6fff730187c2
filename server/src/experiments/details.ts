/** What an experiment's page shows beyond its row, read out of config and the client's own notes in it. Pure. */
import type { ExperimentDetails } from '@teamgrid/api'
import { isJsonObject } from '../lib/tolerant-json.ts'
import { experimentOf } from './experiment.ts'
import { plainConfig } from './facts.ts'
import type { StoredExperiment } from './types.ts'

/**
 * @param metadata the content of `wandb-metadata.json`, for clients that do not put it into the config.
 * Source of the reserved keys: wandb protocol notes, "Encoding of config".
 */
export function detailsOf(
  stored: StoredExperiment,
  files: number,
  metadata: Record<string, unknown> = {},
  branches: ExperimentDetails['branches'] = [],
): ExperimentDetails {
  const environment = environmentOf(stored) ?? metadata
  const git = isJsonObject(environment['git']) ? environment['git'] : {}
  const remote = textOf(git['remote']) ?? stored.repo
  const commit = textOf(git['commit']) ?? stored.commit
  const { _wandb, ...summary } = stored.summary
  return {
    ...experimentOf(stored),
    config: plainConfig(stored.config),
    summary,
    host: stored.host ?? textOf(environment['host']),
    program: textOf(environment['program']) ?? stored.program,
    git: remote === null && commit === null ? null : { remote, commit },
    command: commandOf(environment, stored.program),
    environment,
    metricDefinitions: metricDefinitionsOf(stored.config),
    historyLines: stored.historyLines,
    consoleLines: stored.consoleLines,
    files,
    branches,
  }
}

/** What the first process that reported said of its machine. */
export function environmentOf({
  config,
}: Pick<StoredExperiment, 'config'>): Record<string, unknown> | undefined {
  const writers = ownPart(config)['e']
  if (!isJsonObject(writers)) return undefined
  const reports = Object.values(writers).filter(isJsonObject)
  const startOf = (report: Record<string, unknown>) => textOf(report['startedAt']) ?? ''
  return reports.toSorted((a, b) => (startOf(a) < startOf(b) ? -1 : 1))[0]
}

/** What the client keeps for itself in the config. */
export function ownPart(config: Record<string, unknown>): Record<string, unknown> {
  const own = config['_wandb']
  if (!isJsonObject(own)) return {}
  return isJsonObject(own['value']) ? own['value'] : own
}

/** `python train.py --lr 0.1`, quoted so that it can be pasted into a shell. */
function commandOf(environment: Record<string, unknown>, program: string | null): string | null {
  const script =
    textOf(environment['codePathLocal']) ??
    textOf(environment['codePath']) ??
    textOf(environment['program']) ??
    program
  if (script === null) return null
  const given = environment['args']
  const words = [script, ...(Array.isArray(given) ? given.map(String) : [])]
  const isScript = script.endsWith('.py')
  return [...(isScript ? ['python'] : []), ...words.map(quoted)].join(' ')
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

const goals = { 1: 'minimize', 2: 'maximize' } as const

/** The client numbers the fields of a definition; a step key is named, or is the 1-based place of its own definition. */
function metricDefinitionsOf(config: Record<string, unknown>): ExperimentDetails['metricDefinitions'] {
  const list = ownPart(config)['m']
  if (!Array.isArray(list)) return []
  return list.filter(isJsonObject).map((definition) => {
    const place = Number(definition['5'] ?? 0)
    const referred: unknown = place > 0 ? list[place - 1] : undefined
    const options = Array.isArray(definition['6']) ? definition['6'].map(Number) : []
    const goal = Number(definition['8'] ?? 0)
    return {
      key: textOf(definition['1']),
      glob: textOf(definition['2']),
      stepKey: textOf(definition['4']) ?? (isJsonObject(referred) ? textOf(referred['1']) : null),
      hidden: options.includes(2),
      goal: goal === 1 || goal === 2 ? goals[goal] : null,
    }
  })
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
