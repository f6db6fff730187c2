/**
 * The flags of `grid run`. Everything before the script is ours and everything after it is the script's, so where the
 * script stands has to be known before anything is parsed.
 */

/** Flags with a value, by today's name. */
export const valueFlags = [
  'config',
  'name',
  'description',
  'cluster',
  'strategy',
  'num_trials',
  'seed',
  'instance_type',
  'gpus',
  'cpus',
  'memory',
  'disk_size',
  'datastore_name',
  'datastore_version',
  'datastore_mount_dir',
  'framework',
  'scratch_size',
  'scratch_mount_path',
  'dockerfile',
  'dependency_file',
  'credential',
  'team',
  'project',
  'env',
  'max_hours',
  'timeout',
  'grace',
  'tag',
  'output',
] as const
export const switchFlags = [
  'use_spot',
  'auto_resume',
  'localdir',
  'ignore_warnings',
  'dry_run',
  'yes',
  'follow',
  'inherit_site',
  'debug',
  'help',
] as const

const short: Record<string, string> = {
  l: 'localdir',
  d: 'dockerfile',
  y: 'yes',
  f: 'follow',
  e: 'env',
  o: 'output',
  h: 'help',
}
/** What other generations called them. Null: it goes without saying now. */
const older: Record<string, string | null> = {
  trials: 'num_trials',
  resumable: 'auto_resume',
  'on-demand': null,
  entity: 'team',
  on_demand: null,
  max_nodes: null,
}
const olderWithValue = new Set(['max_nodes'])

export type SeparatedRun = { argv: string[]; warnings: string[] }

/**
 * @param given what follows `run`.
 * @returns the same with today's names, and `--` before the script.
 */
export function separateRun(given: readonly string[]): SeparatedRun {
  const argv: string[] = []
  const warnings: string[] = []
  for (let index = 0; index < given.length; index++) {
    const argument = given[index]!
    if (argument === '--') return { argv: [...argv, ...given.slice(index)], warnings }
    if (!argument.startsWith('-') || argument === '-')
      return { argv: [...argv, '--', ...given.slice(index)], warnings }
    const equals = argument.indexOf('=')
    const typed = equals < 0 ? argument : argument.slice(0, equals)
    const value = equals < 0 ? undefined : argument.slice(equals + 1)
    const { name, warning, isGone } = todaysName(typed)
    if (warning) warnings.push(warning)
    const takes = isGone ? olderWithValue.has(name) : (valueFlags as readonly string[]).includes(name)
    if (isGone) {
      if (takes && value === undefined) index += 1
      continue
    }
    argv.push(value === undefined ? `--${name}` : `--${name}=${value}`)
    if (takes && value === undefined && index + 1 < given.length) argv.push(given[(index += 1)]!)
  }
  return { argv, warnings }
}

function todaysName(typed: string): { name: string; warning?: string; isGone?: boolean } {
  const bare = typed.replace(/^--?/, '')
  if (/^-[^-]$/.test(typed)) return { name: short[bare] ?? bare }
  const plain = bare.replace(/^(?:grid|g)_/, '')
  const name = plain.replaceAll('-', '_')
  if (Object.hasOwn(older, plain) || Object.hasOwn(older, name)) {
    const now = older[plain] ?? older[name]
    if (now === null || now === undefined)
      return { name, isGone: true, warning: `${typed} is deprecated, leave it away` }
    // `--entity` is as good a word as `--team`.
    return plain === 'entity' ? { name: now } : { name: now, warning: `${typed} is deprecated, use --${now}` }
  }
  // Dashes for underscores are no news to anybody.
  if (plain !== bare || (typed.startsWith('-') && !typed.startsWith('--')))
    return { name, warning: `${typed} is deprecated, use --${name}` }
  return { name }
}
