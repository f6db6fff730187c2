import { lstat, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join, relative, resolve as resolvePath, sep } from 'node:path'
import type { Command } from 'commander'
import { GridError, type Reproduction } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import { download, eachAtOnce } from '../download.ts'
import { commitPattern, git, isPlainRemote } from '../git.ts'
import type { Io } from '../io.ts'
import { folderName, placeUnder } from '../local-paths.ts'
import { strayPathOf } from '../patch-paths.ts'
import { resolve } from '../resolve.ts'
import { shown } from '../text.ts'

type Options = { into?: string; artifacts?: boolean; team?: string }
type File = { path: string; sizeBytes: number; url: string; md5Hex?: string }

/** What was done and what could not be, in order. */
type Account = { did: string[]; warnings: string[] }

const filesAtOnce = 8
const filesPerPage = 5000

export function addReproduce(program: Command, io: Io): void {
  program
    .command('reproduce')
    .argument('<experiment>', '[user:]experiment, or team/project/experiment')
    .option('--into <folder>', 'where to rebuild it; a new or empty folder')
    .option('--artifacts', 'download the artifacts it used, too')
    .option('--team <team>', 'look in this team')
    .summary('rebuild the working folder of an experiment')
    .description(
      'Checks out its commit and applies what differed from it, or takes the saved source; writes the packages to requirements.txt and prints the command. Nothing of it is run.',
    )
    .action(handle(io, reproduce))
}

async function reproduce(context: Context, ref: string, options: Options): Promise<void> {
  const { io } = context
  const { client } = await context.connection()
  const { experiments } = await resolve(context, ref, options.team)
  const [experiment] = experiments
  if (experiment === undefined || experiments.length > 1) {
    throw new GridError(
      'invalid',
      `"${ref}" is a run of ${experiments.length} experiments; name one of them.`,
    )
  }
  const { team, project, slug } = experiment
  const saved = await client.artifacts.reproduction({ team, project, experiment: slug })
  const folder = resolvePath(io.cwd, options.into ?? folderName(slug))
  await makeEmpty(folder)
  const account: Account = { did: [], warnings: [...saved.missing] }
  const isCheckedOut = await checkOut(context, folder, saved, account)
  if (!isCheckedOut) await writeCode(context, folder, saved, account)
  await writeRequirements(context, folder, saved, account)
  if (options.artifacts) await writeArtifacts(context, folder, saved, account)
  await rm(join(folder, '.grid-partial'), { recursive: true, force: true })
  for (const warning of account.warnings) context.warn(shown(warning))
  if (context.json) {
    const { command, words, python, used } = saved
    context.printJson({
      folder,
      command,
      words,
      python,
      used: used.map(({ source }) => source),
      did: account.did,
      warnings: account.warnings,
    })
    return
  }
  for (const line of account.did) context.done(shown(line))
  if (saved.used.length > 0 && !options.artifacts) {
    context.say(
      `It used: ${saved.used.map(({ source }) => shown(source)).join(', ')} (--artifacts downloads them)`,
    )
  }
  context.say('')
  context.say(`cd ${shown(relative(io.cwd, folder) || '.')}`)
  if (saved.requirements) context.say('pip install -r requirements.txt')
  if (saved.command !== null) context.say(shown(saved.command))
}

/** @throws GridError conflict for a folder with something in it: what is there is somebody's work. */
async function makeEmpty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new GridError('unavailable', `Cannot make ${folder}`, { cause })
  })
  if ((await readdir(folder)).length > 0) {
    throw new GridError('conflict', `${folder} is not empty, so nothing was written.`, {
      hint: 'Name a new folder with --into.',
    })
  }
}

/** @returns whether the commit is there, with what differed from it applied. */
async function checkOut(
  context: Context,
  folder: string,
  saved: Reproduction,
  account: Account,
): Promise<boolean> {
  const { io } = context
  const { remote = null, commit = null, patch = null } = saved.git ?? {}
  if (remote === null || commit === null) return false
  if (!isPlainRemote(remote) || !commitPattern.test(commit)) {
    account.warnings.push(
      `The repository ${remote} at ${commit} is not fetched: that is no plain address and commit.`,
    )
    return false
  }
  const cloned = await git(io, folder, ['clone', '--quiet', '--no-checkout', '--', remote, '.'])
  const out =
    cloned.code === 0 ? await git(io, folder, ['checkout', '--quiet', '--detach', commit, '--']) : cloned
  if (out.code !== 0) {
    account.warnings.push(`${remote} at ${commit} cannot be had here: ${out.output.split('\n').at(-1) ?? ''}`)
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
    return false
  }
  account.did.push(`Checked out ${commit.slice(0, 12)} of ${remote}`)
  if (patch && patch.url !== '') await applyPatch(context, folder, patch, account)
  return true
}

async function applyPatch(context: Context, folder: string, patch: File, account: Account): Promise<void> {
  const { io } = context
  const { url: server } = await context.connection()
  // Beside what git looks at, so that the folder stays as the experiment had it.
  const place = join(folder, '.git', 'grid-diff.patch')
  await download(io, wanted(patch, place), {
    server,
    root: join(folder, '.git'),
    freshUrl: () => Promise.resolve(patch.url),
    received: () => {},
  })
  const stray = strayPathOf(await readFile(place, 'utf8'))
  if (stray !== undefined) {
    account.warnings.push(
      `What differed from the commit is not applied: it holds ${stray}, which leaves the folder.`,
    )
    return
  }
  const applied = await git(io, folder, ['apply', '--whitespace=nowarn', '--binary', '--', place])
  if (applied.code === 0) account.did.push('Applied what differed from it (diff.patch)')
  else account.warnings.push(`diff.patch does not apply: ${applied.output}. It is kept in ${place}.`)
}

async function writeCode(
  context: Context,
  folder: string,
  { code }: Reproduction,
  account: Account,
): Promise<void> {
  const files = code.files.filter(({ url }) => url !== '')
  if (files.length === 0) return
  const written = await writeAll(context, folder, folder, files, account)
  account.did.push(
    `Wrote ${written} source ${written === 1 ? 'file' : 'files'}${code.artifact ? ` of ${code.artifact}` : ''}`,
  )
}

async function writeRequirements(
  context: Context,
  folder: string,
  { requirements }: Reproduction,
  account: Account,
): Promise<void> {
  if (!requirements || requirements.url === '') return
  // What the experiment really ran with wins over what the repository asks for, which git still has.
  const path = 'requirements.txt'
  if ((await writeAll(context, folder, folder, [{ ...requirements, path }], account)) === 1)
    account.did.push('Wrote the packages to requirements.txt')
}

async function writeArtifacts(
  context: Context,
  folder: string,
  { used }: Reproduction,
  account: Account,
): Promise<void> {
  const { client } = await context.connection()
  for (const { team, project, collection, version, source } of used) {
    const into = join(folder, 'artifacts', `${folderName(collection)}-${folderName(version)}`)
    const files: File[] = []
    let cursor: string | undefined
    do {
      const page = await client.artifacts.files({
        team,
        project,
        collection,
        version,
        limit: filesPerPage,
        ...(cursor === undefined ? {} : { cursor }),
      })
      for (const file of page.items) {
        if (file.reference === null) files.push(file)
        else account.warnings.push(`${source}: ${file.path} is kept at ${file.reference}; fetch it yourself.`)
      }
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    const written = await writeAll(context, folder, into, files, account)
    account.did.push(`Downloaded ${source} (${written} ${written === 1 ? 'file' : 'files'})`)
  }
}

/** @returns how many were written; those whose names would leave the folder are told and left out. */
async function writeAll(
  context: Context,
  root: string,
  folder: string,
  files: readonly File[],
  account: Account,
): Promise<number> {
  const { url: server } = await context.connection()
  let written = 0
  await eachAtOnce(files, filesAtOnce, async (file) => {
    const place = placeUnder(folder, file.path)
    const isOurs = place !== undefined && !place.split(sep).includes('.git') && !(await hasLink(root, place))
    if (!isOurs) {
      account.warnings.push(`${file.path} is not written: its name would leave the folder.`)
      return
    }
    await download(context.io, wanted(file, place), {
      server,
      root,
      freshUrl: () => Promise.resolve(file.url),
      received: () => {},
    })
    written += 1
  })
  return written
}

function wanted({ url, sizeBytes }: File, place: string) {
  return { url, sizeBytes, md5Hex: '', updatedAt: new Date().toISOString(), place }
}

/** A link in a checked-out repository may lead anywhere; nothing is written through one. */
async function hasLink(root: string, place: string): Promise<boolean> {
  let at = root
  for (const part of relative(root, place).split(sep)) {
    at = join(at, part)
    if ((await lstat(at).catch(() => null))?.isSymbolicLink()) return true
  }
  return false
}
