/** The YAML file of `grid run --config`: keys of both generations become flags, and flags that were typed win. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { GridError } from '@teamgrid/api'
import { isMap, LineCounter, parseDocument } from 'yaml'
import type { Io } from './io.ts'

export type RunConfig = {
  /** By flag, as it would be typed. */
  flags: Record<string, string | boolean>
  environment: Record<string, string>
  actions: { build: string[]; start: string[]; end: string[] }
  /** To be put behind the script's arguments. */
  params: string[]
  warnings: string[]
}

type Taker = (value: unknown, config: RunConfig) => void

const flag =
  (name: string): Taker =>
  (value, config) => {
    if (value === null || value === undefined) return
    config.flags[name] = typeof value === 'boolean' ? value : scalar(value, name)
  }
const ignored =
  (why: string): Taker =>
  (_value, config) =>
    void config.warnings.push(why)
const actions =
  (when: keyof RunConfig['actions']): Taker =>
  (value, config) => {
    if (value === null || value === undefined) return
    config.actions[when].push(...[value].flat().map((each) => scalar(each, `actions`)))
  }

const keys: Record<string, Taker> = {
  'compute.provider.cluster': flag('cluster'),
  'compute.provider.credentials': flag('credential'),
  'compute.provider.vendor': ignored('compute.provider.vendor has no meaning here.'),
  'compute.provider.region': ignored('compute.provider.region has no meaning here.'),
  'compute.train.framework': flag('framework'),
  'compute.train.instance': flag('instance_type'),
  'compute.train.instance_type': flag('instance_type'),
  'compute.train.use_spot': flag('use_spot'),
  'compute.train.auto_resume': flag('auto_resume'),
  'compute.train.localdir': flag('localdir'),
  'compute.train.dockerfile': flag('dockerfile'),
  'compute.train.storage_gb': flag('disk_size'),
  'compute.train.disk_size': flag('disk_size'),
  'compute.train.memory': flag('memory'),
  'compute.train.datastore_name': flag('datastore_name'),
  'compute.train.datastore_version': flag('datastore_version'),
  'compute.train.datastore_mount_dir': flag('datastore_mount_dir'),
  'compute.train.dependency_file_info.path': flag('dependency_file'),
  'compute.train.dependency_file_info.package_manager': () => {},
  'compute.train.cpus': flag('cpus'),
  'compute.train.gpus': flag('gpus'),
  'compute.train.description': flag('description'),
  'compute.train.nodes': ignored('compute.train.nodes has no meaning here.'),
  'compute.train.max_nodes': ignored('compute.train.max_nodes has no meaning here.'),
  'compute.train.scale_down_seconds': ignored('compute.train.scale_down_seconds has no meaning here.'),
  'compute.train.actions.on_build': actions('build'),
  'compute.train.actions.on_image_build': actions('build'),
  'compute.train.actions.on_build_start': actions('build'),
  'compute.train.actions.on_build_end': actions('build'),
  'compute.train.actions.on_experiment_start': actions('start'),
  'compute.train.actions.on_experiment_end': actions('end'),
  'compute.train.scratch.size_gb': flag('scratch_size'),
  'compute.train.scratch.mount_path': flag('scratch_mount_path'),
  'hyper_params.settings.strategy': flag('strategy'),
  'hyper_params.settings.strategy_options.num_trials': flag('num_trials'),
  'hyper_params.settings.strategy_options.seed': flag('seed'),
  entity: flag('team'),
  team: flag('team'),
  project: flag('project'),
  name: flag('name'),
}

/** @throws GridError invalid, with line and column. */
export async function readRunConfig(io: Io, path: string): Promise<RunConfig> {
  const text = await readFile(resolve(io.cwd, path), 'utf8').catch((error: Error) => {
    throw new GridError('invalid', `Cannot read ${path}: ${error.message}`)
  })
  return parseRunConfig(text, path)
}

export function parseRunConfig(text: string, path = 'the file'): RunConfig {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const [wrong] = document.errors
  if (wrong) throw new GridError('invalid', `${path}: ${wrong.message.split('\n')[0]}`)
  const config: RunConfig = {
    flags: {},
    environment: {},
    actions: { build: [], start: [], end: [] },
    params: [],
    warnings: [],
  }
  if (document.contents === null) return config
  if (!isMap(document.contents)) throw new GridError('invalid', `${path} is not a mapping of keys to values`)
  walk(document.contents, '')
  return config

  function walk(map: unknown, prefix: string): void {
    if (!isMap(map)) return
    for (const pair of map.items) {
      const key = scalar((pair.key as { value?: unknown }).value ?? '', 'a key')
      const name = prefix === '' ? key : `${prefix}.${key}`
      const value = (pair.value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null
      if (name === 'compute.train.environment') {
        for (const [each, given] of Object.entries((value ?? {}) as Record<string, unknown>))
          config.environment[each] = scalar(given, each)
      } else if (name === 'hyper_params.params') {
        for (const [each, given] of Object.entries((value ?? {}) as Record<string, unknown>)) {
          const isSwitch = given === true || given === null
          config.params.push(
            each.startsWith('-') ? each : `--${each}`,
            ...(isSwitch ? [] : [valueText(given)]),
          )
        }
      } else if (Object.hasOwn(keys, name)) keys[name]!(value, config)
      else if (isMap(pair.value)) walk(pair.value, name)
      else {
        const offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? 0
        const { line } = lines.linePos(offset)
        config.warnings.push(`${path}, line ${line}: "${name}" is no key that grid knows.`)
      }
    }
  }
}

function scalar(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new GridError('invalid', `"${name}" must be a single value`)
}

/** A YAML list means what a list in an argument means. */
function valueText(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map((each) => JSON.stringify(each)).join(', ')}]`
    : scalar(value, 'params')
}
