import { type Command, Option } from 'commander'
import { GridError, type RunDetails, RunSpec, searchExperiments } from '@teamgrid/api'
import { findDependencies, gather } from '../code/gather.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { showLogs } from './logs.ts'
import { readRunConfig, type RunConfig } from '../run-config.ts'
import { shown } from '../text.ts'

/** As typed: flags are texts, and what is not there was not typed. */
type RunFlags = Partial<Record<string, string | boolean | string[]>>

/** From so many experiments on it is asked whether that is meant. */
const askFrom = 100
const gibibyte = 1024

export function addRun(program: Command, io: Io): void {
  const run = program
    .command('run')
    .argument('<script>', 'what to run: a .py, .sh, .R, .jl or .js file, or a program')
    .argument(
      '[arguments...]',
      'for the script: "[0.1, 0.01]", "range(1, 10, 2)" and "uniform(0, 1, 5)" are searched over',
    )
    .summary('run a script, once for every combination of its arguments')
    .description(
      'Run a script on a machine of the team, once for every combination of its arguments.\n' +
        'Everything before the script is for grid, everything after it is for the script.',
    )
  const option = (flags: string, says: string) => run.addOption(new Option(flags, says))
  option('--config <file>', 'YAML with these settings; what is typed wins')
  option('--name <name>', 'of the run; without it one is found')
  option('--description <text>', 'a note about the run')
  option('--team <team>', 'whose run it is; also --entity')
  option('--project <project>', 'where its experiments stand')
  option('--cluster <cluster>', 'where it runs; "grid clusters" lists them')
  option('--instance_type <machine>', 'what it runs on; "grid instance-types" lists them')
  option('--cpus <count>', 'processors for each experiment; 0: all that the machine has (1)')
  option('--gpus <count>', 'GPUs for each experiment (0)')
  option('--memory <size>', 'memory for each experiment, such as 10G')
  option('--disk_size <GB>', 'disk for each experiment')
  option('--strategy <strategy>', 'grid_search, random_search or none (grid_search)')
  option('--num_trials <count>', 'combinations that a random search draws')
  option('--seed <number>', 'decides what is drawn (0)')
  option('--datastore_name <datastore>', '[owner:]name[:version], to be seen by the script')
  option('--datastore_version <version>', 'the newest, if not said')
  option('--datastore_mount_dir <folder>', 'where it is seen (/datastores/<name>)')
  option('-l, --localdir', 'send this folder as it is, instead of what git knows of it')
  option(
    '--dependency_file <file>',
    'what to install; requirements.txt, environment.yml or pyproject.toml is found',
  )
  option('--inherit_site', 'let the environment see the packages of the machine’s own Python')
  run.addOption(
    new Option('-e, --env <NAME=value>', 'for the script; more than once').argParser(
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    ),
  )
  run.addOption(
    new Option('--tag <tag>', 'of its experiments; more than once').argParser(
      (value: string, before: string[] | undefined) => [...(before ?? []), value],
    ),
  )
  option('--use_spot', 'on a machine that may be taken away')
  option('--auto_resume', 'begin again after that')
  option('--timeout <duration>', 'end each experiment after 90s, 30m, 2h')
  option('--max_hours <hours>', 'the same, in hours')
  option('--grace <duration>', 'time to save after a stop (120s)')
  option('--framework <framework>', 'noted with the run')
  option('-d, --dockerfile <file>', 'needs a cluster that runs containers')
  option('--scratch_size <GB>', 'disk for what is not kept')
  option('--scratch_mount_path <folder>', 'where that is')
  option('--credential <credential>', 'of older versions; the same as --cluster')
  option('--ignore_warnings', 'neither warn nor ask')
  option('--dry_run', 'only say what would happen')
  option('-y, --yes', 'do not ask')
  option('-f, --follow', 'then show what the experiments print')
  run.action(
    handle(io, (context, script: string, given: string[], flags: RunFlags) =>
      submit(context, script, given, flags),
    ),
  )
}

async function submit(context: Context, script: string, given: string[], typed: RunFlags): Promise<void> {
  const { io } = context
  const config = typeof typed['config'] === 'string' ? await readRunConfig(io, typed['config']) : undefined
  const flags: RunFlags = { ...config?.flags, ...typed }
  const quiet = flags['ignore_warnings'] === true
  const warn = (text: string) => (quiet ? undefined : context.warn(text))
  for (const warning of config?.warnings ?? []) warn(warning)
  for (const warning of hints(flags)) warn(warning)
  const scriptArguments = [...given, ...(config?.params ?? [])]
  const { client, put, url } = await context.connection()
  const me = await context.me()
  const team = text(flags, 'team') ?? io.env['GRID_ENTITY'] ?? me.defaultTeam
  const search = searchOf(flags)
  // Everything that can be refused here is, before anything is sent.
  const { experiments } = searchExperiments(scriptArguments, search)
  if (experiments.length >= askFrom && !flags['yes'] && !quiet && !flags['dry_run'])
    await confirmMany(context, experiments.length)
  const code = await gather(io, flags['localdir'] === true)
  for (const warning of code.warnings) warn(warning)
  const spec = specOf(flags, config, script, scriptArguments, search, code.folder)
  spec.dependencies = await findDependencies(io, code.folder, text(flags, 'dependency_file'))
  if (spec.dependencies && flags['inherit_site'] === true) spec.dependencies.inheritSite = true
  const { sha256, bytes } = code.archive
  if (!(await client.runs.code({ team, sha256 })).isHere)
    await put(`/runs/code/${encodeURIComponent(team)}/${sha256}`, new Uint8Array(bytes))
  const name = text(flags, 'name')
  if (name === undefined && !context.json) io.stderr.write('No --name was given; one is found.\n')
  if (!context.json) io.stderr.write(`Submitting Run ${name ? `${shown(name)} ` : ''}...\n`)
  const run = await client.runs.submit({
    team,
    spec,
    code: { sha256 },
    git: code.git,
    environment: { ...config?.environment, ...environmentOf(flags) },
    tags: (flags['tag'] as string[] | undefined) ?? [],
    dryRun: flags['dry_run'] === true,
    ...(name ? { name } : {}),
    ...(text(flags, 'project') ? { project: text(flags, 'project')! } : {}),
    ...(text(flags, 'description') ? { description: text(flags, 'description')! } : {}),
  })
  for (const warning of run.warnings) warn(warning)
  if (context.json) context.printJson(runDetailsJson(run, url))
  else io.stdout.write(summary(run, url, flags['dry_run'] === true))
  if (flags['follow'] && !flags['dry_run'])
    await showLogs(context, run.name, { follow: true, team: run.team })
}

/** What it would be as typed, checked again by the server. */
function specOf(
  flags: RunFlags,
  config: RunConfig | undefined,
  script: string,
  scriptArguments: string[],
  search: ReturnType<typeof searchOf>,
  folder: string,
): RunSpec {
  const datastore = text(flags, 'datastore_name')
  const version = whole(flags, 'datastore_version')
  const memory = text(flags, 'memory')
  const diskGiB =
    whole(flags, 'disk_size') ?? (memory !== undefined && isBare(memory) ? Number(memory) : undefined)
  const hours = text(flags, 'max_hours')
  const timeLimitSeconds =
    durationOf(flags, 'timeout') ??
    (hours === undefined ? undefined : Math.ceil(number(hours, 'max_hours') * 3600))
  if (text(flags, 'dockerfile') !== undefined)
    throw new GridError('invalid', 'No cluster here runs containers, so a Dockerfile cannot be built', {
      hint: 'Bring a requirements.txt, or leave --dockerfile away.',
    })
  return RunSpec.parse({
    script: script.replace(/^\.\//, ''),
    arguments: scriptArguments,
    folder,
    ...search,
    resources: {
      cpus: whole(flags, 'cpus') ?? 1,
      memoryMiB: memory === undefined || isBare(memory) ? 0 : memoryMiB(memory),
      gpus: whole(flags, 'gpus') ?? 0,
      ...(diskGiB === undefined ? {} : { diskGiB }),
      ...(timeLimitSeconds === undefined ? {} : { timeLimitSeconds }),
    },
    instanceType: text(flags, 'instance_type') ?? null,
    cluster: text(flags, 'cluster') ?? text(flags, 'credential') ?? null,
    useSpot: flags['use_spot'] === true,
    autoResume: flags['auto_resume'] === true,
    ...(text(flags, 'grace') ? { graceSeconds: durationOf(flags, 'grace') } : {}),
    datastores:
      datastore === undefined
        ? []
        : [
            {
              reference: withVersion(datastore, version),
              mountPath: text(flags, 'datastore_mount_dir') ?? null,
            },
          ],
    actions: config?.actions ?? {},
    framework: text(flags, 'framework') ?? null,
  })
}

function searchOf(flags: RunFlags) {
  const strategy = text(flags, 'strategy') ?? 'grid_search'
  if (strategy !== 'grid_search' && strategy !== 'random_search' && strategy !== 'none')
    throw new GridError('invalid', `There is no strategy "${strategy}"`, {
      hint: 'There are grid_search, random_search and none.',
    })
  return { strategy, trials: whole(flags, 'num_trials') ?? null, seed: whole(flags, 'seed') ?? 0 } as const
}

function hints(flags: RunFlags): string[] {
  const found: string[] = []
  const memory = text(flags, 'memory')
  if (memory !== undefined && isBare(memory))
    found.push(
      `--memory ${memory} without a unit meant disk; use --disk_size ${memory}, or --memory ${memory}G`,
    )
  for (const name of ['scratch_size', 'scratch_mount_path'])
    if (flags[name] !== undefined)
      found.push(`--${name} has no meaning here: GRID_SCRATCH_DIR names a folder that is not kept`)
  return found
}

async function confirmMany(context: Context, count: number): Promise<void> {
  const { io } = context
  if (!io.stdin.isTTY)
    throw new GridError('invalid', `This would start ${count} experiments`, {
      hint: 'Say --yes if that is meant.',
    })
  const answer = await io.stdin.ask(`This starts ${count} experiments. Go on? [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new GridError('invalid', 'Nothing was submitted')
}

function environmentOf(flags: RunFlags): Record<string, string> {
  return Object.fromEntries(
    ((flags['env'] as string[] | undefined) ?? []).map((each) => {
      const equals = each.indexOf('=')
      if (equals < 1) throw new GridError('invalid', `--env ${each.slice(0, 50)}: write NAME=value`)
      return [each.slice(0, equals), each.slice(equals + 1)]
    }),
  )
}

function withVersion(reference: string, version: number | undefined): string {
  if (version === undefined) return reference
  const [, inside] = /(?:^[^:]+:[^:]*:|\/datastores\/[^/]+\/|^[^:/]+:)(\d+)$/.exec(reference) ?? []
  if (inside !== undefined && Number(inside) !== version)
    throw new GridError('invalid', `${reference} names version ${inside}, and --datastore_version ${version}`)
  return inside === undefined
    ? `${reference}${reference.includes('/datastores/') ? '/' : ':'}${version}`
    : reference
}

function text(flags: RunFlags, name: string): string | undefined {
  const value = flags[name]
  return value === undefined || value === '' ? undefined : String(value)
}

function whole(flags: RunFlags, name: string): number | undefined {
  const value = text(flags, name)
  if (value === undefined) return undefined
  if (!/^\d{1,10}$/.test(value))
    throw new GridError('invalid', `--${name} must be a whole number, not "${value}"`)
  return Number(value)
}

function number(value: string, name: string): number {
  const found = Number(value)
  if (!Number.isFinite(found) || found <= 0)
    throw new GridError('invalid', `--${name} must be a number, not "${value}"`)
  return found
}

const isBare = (memory: string) => /^\d+$/.test(memory)

function memoryMiB(given: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGT])i?B?$/i.exec(given) ?? []
  const sizes: Record<string, number> = { K: 1 / gibibyte, M: 1, G: gibibyte, T: gibibyte * gibibyte }
  const size = sizes[unit.toUpperCase()]
  if (amount === undefined || size === undefined)
    throw new GridError('invalid', `--memory ${given}: write a size such as 10G or 500M`)
  return Math.ceil(Number(amount) * size)
}

function durationOf(flags: RunFlags, name: string): number | undefined {
  const given = text(flags, name)
  if (given === undefined) return undefined
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([smhd]?)$/.exec(given) ?? []
  if (amount === undefined) throw new GridError('invalid', `--${name} ${given}: write 90s, 30m, 2h or 1d`)
  const seconds: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }
  return Math.ceil(Number(amount) * seconds[unit ?? '']!)
}

/** What was submitted, in the words of Grid. */
export function summary(run: RunDetails, url: string, isDry: boolean): string {
  const [datastore] = run.datastores
  const lines: [string, string][] = [
    ['name', run.name],
    ['run_command', run.command],
    ['instance_type', run.instanceType ?? `${run.spec.resources.cpus || 'all'} cpus`],
    ['use_spot', String(run.spec.useSpot)],
    ['cluster', run.cluster],
    ['datastore_name', datastore ? `${datastore.owner}:${datastore.name}` : '-'],
    ['datastore_version', datastore ? String(datastore.version) : '-'],
    ['datastore_mount_dir', datastore?.mountPath ?? '-'],
    ['experiments', String(run.experimentList.length)],
    ['entity', run.team],
    ['project', run.project],
    ['source', sourceOf(run)],
    ['url', webUrl(run, url)],
  ]
  const width = Math.max(...lines.map(([key]) => key.length))
  const head = isDry
    ? 'Nothing was submitted: this is what would be.\n'
    : 'Run submitted!\n`grid status` to list all runs\n' +
      `\`grid status ${run.name}\` to see all experiments for this run\n`
  return `${head}${'-'.repeat(40)}\nSubmission summary\n${lines
    .map(([key, value]) => `${key}:`.padEnd(width + 2) + shown(value))
    .join('\n')}\n`
}

function sourceOf(run: RunDetails): string {
  const commit = run.git?.commit?.slice(0, 10)
  const snapshot = run.code?.sha256.slice(0, 12) ?? '-'
  return commit ? `${commit}${run.git?.dirty ? ' with changes' : ''} (${snapshot})` : snapshot
}

export function webUrl(run: { team: string; name: string }, url: string): string {
  return `${url}/teams/${encodeURIComponent(run.team)}/runs/${encodeURIComponent(run.name)}`
}

export function runDetailsJson(run: RunDetails, url: string): Record<string, unknown> {
  const [datastore] = run.datastores
  return {
    name: run.name,
    run_id: run.id,
    run_command: run.command,
    status: run.status,
    instance_type: run.instanceType,
    use_spot: run.spec.useSpot,
    cluster: run.cluster,
    datastore_name: datastore ? `${datastore.owner}:${datastore.name}` : null,
    datastore_version: datastore?.version ?? null,
    datastore_mount_dir: datastore?.mountPath ?? null,
    entity: run.team,
    project: run.project,
    created_by: run.createdBy.username,
    created_at: run.createdAt,
    experiments: run.experimentList.map((each) => ({
      experiment: each.name,
      experiment_id: each.id,
      command: each.command,
      state: each.state,
      params: each.parameters,
    })),
    source: run.git?.commit ?? run.code?.sha256 ?? null,
    url: webUrl(run, url),
  }
}
