import { rmdir } from 'node:fs/promises'
import { join, relative, resolve as resolvePath } from 'node:path'
import type { Command } from 'commander'
import { type Experiment, type FileInfo, GridError } from '@teamgrid/api'
import { type ArtifactReference, parseArtifactReference } from '../artifact-references.ts'
import { type Context, handle } from '../context.ts'
import { foldersFor } from '../download-folders.ts'
import { download, eachAtOnce } from '../download.ts'
import { globPattern } from '../glob.ts'
import type { Io } from '../io.ts'
import { placeUnder } from '../local-paths.ts'
import { createProgress } from '../progress.ts'
import { orPointToTheWeb, resolve, webAddress } from '../resolve.ts'
import type { Column } from '../table.ts'
import { shown } from '../text.ts'
import { bytes, minute } from '../time.ts'
import {
  downloadVersions,
  inspect,
  listCollections,
  listVersionFiles,
  listVersions,
  placed,
} from './artifact-versions.ts'

type ArtifactOptions = {
  inspect?: boolean
  download_dir: string
  match_regex?: string
  include?: string[]
  exclude?: string[]
  bucket_path?: boolean
  list?: boolean
  team?: string
}
type Found = { experiment: Experiment; file: FileInfo }
type Outcome = Found & {
  status: 'downloaded' | 'unchanged' | 'failed'
  place: string | null
  error: string | null
}

/** Few enough to be kind to the server, enough to hide the round trip of small files. */
const filesAtOnce = 8

export function addArtifacts(program: Command, io: Io): void {
  program
    .command('artifacts')
    .argument('<ref...>', '[user:]run, [user:]experiment or [team/]project/artifact:version')
    .option('--download_dir <folder>', 'where to put them', './grid_artifacts')
    .option('-m, --match_regex <pattern>', 'only files whose path matches')
    .option('--include <glob...>', 'only files that match one of these, such as "*.pt" or "out/**"')
    .option('--exclude <glob...>', 'no files that match one of these')
    .option('--bucket_path', 'print where the files of each experiment are kept, and download nothing')
    .option('--list', 'only show what there is')
    .option('--inspect', 'show what is known about versions of artifacts')
    .option('--team <team>', 'look in this team')
    .summary('download the files of experiments, and versions of artifacts')
    .description(
      'Downloads to <folder>/<run>/<experiment>/<path>, or <folder>/<artifact>-<version>/<path>. Files that are there already are skipped. With --list, [team/]project/ shows the artifacts of a project, and [team/]project/artifact:* the versions of one.',
    )
    .action(handle(io, artifacts))
}

async function artifacts(context: Context, refs: string[], options: ArtifactOptions): Promise<void> {
  const fits = chooser(options)
  const named = refs.map(parseArtifactReference)
  if (named.some((one) => one !== undefined)) return ofArtifacts(context, refs, named, fits, options)
  if (options.inspect) throw new GridError('invalid', '--inspect is for [team/]project/artifact:version')
  const experiments = new Map<string, Experiment>()
  for (const ref of refs) {
    for (const one of (await resolve(context, ref, options.team)).experiments) experiments.set(one.id, one)
  }
  if (options.bucket_path) return printPlaces(context, [...experiments.values()])
  const found = await listFiles(context, [...experiments.values()], fits)
  if (options.list) context.printRows({ columns: fileColumns, rows: found, json: fileJson, empty: 'None.' })
  else await downloadAll(context, [...experiments.values()], found, options)
}

/** Versions of artifacts, or lists of them. */
async function ofArtifacts(
  context: Context,
  refs: readonly string[],
  named: readonly (ArtifactReference | undefined)[],
  fits: (path: string) => boolean,
  options: ArtifactOptions,
): Promise<void> {
  const other = named.indexOf(undefined)
  if (other >= 0) {
    throw new GridError('invalid', `"${refs[other]}" names no artifact, as the others do`, {
      hint: 'Ask for experiments and for artifacts one after the other.',
    })
  }
  if (options.bucket_path) throw new GridError('invalid', '--bucket_path is for runs and experiments')
  const all = []
  for (const one of named) all.push(await placed(context, { ...one!, team: one!.team ?? options.team }))
  const wide = all.filter(({ version }) => version === '*')
  if (wide.length > 0 && (!options.list || wide.length < all.length || options.inspect)) {
    throw new GridError('invalid', 'A project/ and an artifact:* are only listed, each by itself', {
      hint: 'Say --list, or name a version.',
    })
  }
  const [first] = wide
  if (first?.collection === '') {
    if (wide.length > 1) throw new GridError('invalid', 'Ask for one project at a time')
    return listCollections(context, { team: first.team, project: first.project })
  }
  if (first) return listVersions(context, wide)
  if (options.inspect) return inspect(context, all)
  if (options.list) return listVersionFiles(context, all, fits)
  return downloadVersions(context, all, fits, options.download_dir)
}

/** Which paths are meant: all that the expression and one of the globs match, but for those of the other globs. */
function chooser({ match_regex, include, exclude }: ArtifactOptions): (path: string) => boolean {
  const pattern = patternOf(match_regex)
  // A glob without a folder in it means the file's name, wherever the file is.
  const matches = (path: string, glob: string) =>
    globPattern(glob).test(glob.includes('/') ? path : path.split('/').at(-1)!)
  return (path) =>
    (pattern === null || pattern.test(path)) &&
    (include === undefined || include.some((glob) => matches(path, glob))) &&
    !exclude?.some((glob) => matches(path, glob))
}

/** Files are kept under keys of this server's own, so what can be told is the folder of each experiment. */
async function printPlaces(context: Context, experiments: readonly Experiment[]): Promise<void> {
  const { url } = await context.connection()
  const place = ({ team, project, slug }: Experiment) =>
    `${url}/files/${[team, project, slug].map(encodeURIComponent).join('/')}/`
  context.printRows({
    columns: [
      { title: 'Experiment name', cell: (one: Experiment) => one.name },
      { title: 'Bucket path to artifacts', cell: place },
    ],
    rows: experiments,
    json: (one) => ({ experiment: one.name, bucket_path: place(one) }),
    empty: 'None.',
  })
}

function patternOf(text: string | undefined): RegExp | null {
  if (text === undefined) return null
  try {
    return new RegExp(text, 'u')
  } catch (error) {
    throw new GridError('invalid', `"${text}" is not a regular expression: ${(error as Error).message}`)
  }
}

async function listFiles(
  context: Context,
  experiments: readonly Experiment[],
  fits: (path: string) => boolean,
): Promise<Found[]> {
  const { client } = await context.connection()
  const lists = new Map<string, FileInfo[]>()
  await eachAtOnce(experiments, filesAtOnce, async (experiment) => {
    const { id, team, project, slug } = experiment
    lists.set(
      id,
      await orPointToTheWeb(context, experiment, () =>
        client.experiments.files({ team, project, experiment: slug }),
      ),
    )
  })
  return experiments.flatMap((experiment) =>
    lists
      .get(experiment.id)!
      .filter((file) => fits(file.path))
      .map((file) => ({ experiment, file })),
  )
}

const fileColumns: Column<Found>[] = [
  { title: 'Experiment', cell: ({ experiment }) => experiment.name },
  { title: 'Path', cell: ({ file }) => file.path },
  { title: 'Size', cell: ({ file }) => bytes(file.sizeBytes) },
  { title: 'Modified', cell: ({ file }) => minute(file.updatedAt) },
]

function fileJson({ experiment, file }: Found): Record<string, unknown> {
  return {
    experiment: experiment.name,
    path: file.path,
    size: file.sizeBytes,
    modified: file.updatedAt,
    media_type: file.mediaType,
    md5: file.md5Hex,
    experiment_id: experiment.id,
    run: experiment.group,
    team: experiment.team,
    project: experiment.project,
  }
}

async function downloadAll(
  context: Context,
  experiments: readonly Experiment[],
  found: readonly Found[],
  options: ArtifactOptions,
): Promise<void> {
  const { io } = context
  const { url } = await context.connection()
  await refuseClosed(context, found)
  const root = resolvePath(io.cwd, options.download_dir)
  const folders = await foldersFor(root, experiments).catch((error: Error) => {
    throw new GridError('unavailable', `Cannot write to ${root}: ${error.message}`, { cause: error })
  })
  const total = found.reduce((sum, { file }) => sum + file.sizeBytes, 0)
  const progress = createProgress(io.stderr, io.now, total, found.length)
  const outcomes: Outcome[] = []
  const fetchOne = async (one: Found) => {
    const { experiment, file } = one
    const place = placeUnder(join(root, folders.get(experiment.id)!), file.path)
    if (place === undefined) {
      outcomes.push({ ...one, status: 'failed', place: null, error: 'its path would leave the folder' })
      return
    }
    try {
      const freshUrl = () => freshUrlOf(context, one)
      const status = await download(
        io,
        { ...file, place },
        { server: url, root, freshUrl, received: (count) => progress.received(count) },
      )
      if (status === 'unchanged') progress.received(file.sizeBytes)
      outcomes.push({ ...one, status, place, error: null })
    } catch (error) {
      if (io.interrupted.aborted) throw error
      outcomes.push({ ...one, status: 'failed', place, error: (error as Error).message })
    }
    progress.fileDone()
  }
  try {
    await eachAtOnce(found, filesAtOnce, fetchOne)
  } finally {
    progress.end()
  }
  // Stays only where something is left to continue.
  await rmdir(join(root, '.grid-partial')).catch(() => {})
  report(context, outcomes, root)
}

/**
 * The server lists files without a url to those who may know of them and not have them.
 *
 * @throws GridError policy_denied, with the web address.
 */
async function refuseClosed(context: Context, found: readonly Found[]): Promise<void> {
  const experiment = found.find(({ file }) => file.url === '')?.experiment
  if (!experiment) return
  const { user, teams } = await context.me()
  const switches = teams.find((team) => team.slug === experiment.team)?.policy.switches
  const isOthers = experiment.createdBy.username !== user.username
  const policy =
    isOthers && switches?.['cli_cross_user_logs_artifacts'] === false
      ? 'cli_cross_user_logs_artifacts'
      : 'view_only_downloads'
  const { url } = await context.connection()
  throw new GridError(
    'policy_denied',
    `Warning: experiment ${experiment.name} belongs to ${experiment.createdBy.username}. Team policy "${policy}" does not let you download its files here.`,
    {
      policy,
      owner: experiment.createdBy.username,
      hint: `See it in the web app: ${webAddress(url, experiment)}`,
    },
  )
}

async function freshUrlOf(context: Context, { experiment, file }: Found): Promise<string> {
  const { client } = await context.connection()
  const { team, project, slug } = experiment
  const files = await client.experiments.files({ team, project, experiment: slug, prefix: file.path })
  const again = files.find((one) => one.path === file.path)
  if (!again) throw new GridError('not_found', 'it was deleted meanwhile')
  if (again.md5Hex !== file.md5Hex || again.sizeBytes !== file.sizeBytes) {
    throw new GridError('conflict', 'it changed while it was downloaded; run the command again')
  }
  if (again.url === '') throw new GridError('forbidden', 'you may not download it any more')
  return again.url
}

/** Counts and bytes for people, every file for programs; any file that failed fails the command. */
function report(context: Context, outcomes: readonly Outcome[], root: string): void {
  const { io } = context
  const of = (status: Outcome['status']) => outcomes.filter((one) => one.status === status)
  const size = (some: readonly Outcome[]) => bytes(some.reduce((sum, { file }) => sum + file.sizeBytes, 0))
  const failed = of('failed')
  for (const { experiment, file, error } of failed) {
    io.stderr.write(`✘ ${shown(experiment.name)}/${shown(file.path)}: ${shown(error ?? '')}\n`)
  }
  const downloaded = of('downloaded')
  const unchanged = of('unchanged')
  if (context.json) {
    context.printJson(
      outcomes.map((one) => ({
        ...fileJson(one),
        status: one.status,
        file: one.place,
        error: one.error,
      })),
    )
  } else {
    const where = relative(io.cwd, root) || '.'
    context.say(
      `Downloaded ${files(downloaded.length)} (${size(downloaded)}) to ${where}, skipped ${files(unchanged.length)} unchanged (${size(unchanged)}).`,
    )
  }
  if (failed.length > 0) {
    throw new GridError('unavailable', `${files(failed.length)} could not be downloaded`, {
      hint: 'Run the command again: what is there already is kept and continued.',
    })
  }
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`
}
