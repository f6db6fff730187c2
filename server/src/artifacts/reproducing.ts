/**
 * What it takes to run an experiment again: the commit and what differed from it, the saved source, the packages, the
 * command, the artifacts it used. Only told, never run; names in it are a stranger's and are checked by who writes
 * files by them.
 */
import type { Reproduction } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { ExperimentRef, StoredExperiment } from '../experiments/types.ts'
import { ownMembership, type StoredArtifact } from './artifact.ts'
import type { ArtifactsDeps } from './deps.ts'
import type { Permission } from './permission.ts'
import type { Reading } from './reading.ts'
import { experimentName, type createShowing, shownVersion } from './showing.ts'

type ExperimentNames = { team: string; project: string; experiment: string }
type SavedFile = { path: string; sizeBytes: number; url: string }

const codeFolder = 'code/'
const codeFilesMax = 5000
const usedMax = 1000

export function createReproducing(
  { experiments }: Pick<ArtifactsDeps, 'experiments'>,
  { downloadable }: Pick<Permission, 'downloadable'>,
  reading: Reading,
  { experimentOf }: Pick<ReturnType<typeof createShowing>, 'experimentOf'>,
) {
  async function reproduction(actor: Actor, names: ExperimentNames): Promise<Reproduction> {
    const experiment = await experimentOf(actor, names)
    const ref: ExperimentRef = {
      team: experiment.teamSlug,
      project: experiment.projectName,
      slug: experiment.slug,
    }
    const details = await experiments.get(actor, ref)
    const files = await experiments.files(actor, ref)
    const byPath = new Map(files.map(({ path, sizeBytes, url }) => [path, { path, sizeBytes, url }]))
    const patch = byPath.get('diff.patch') ?? null
    const requirements = byPath.get('requirements.txt') ?? null
    const code = await savedCode(actor, experiment, [...byPath.values()])
    const { artifacts: used } = await reading.listUsed(actor, experiment, { limit: usedMax })
    const git = details.git || patch ? { remote: null, commit: null, ...details.git, patch } : null
    const missing: string[] = []
    if (details.command === null) missing.push('The command was not saved.')
    if (!git?.commit && code.files.length === 0)
      missing.push(
        'Neither a commit nor the source was saved: turn on code saving, or run in a git repository.',
      )
    // A client that saves no code does not tell whether files differed from the commit either.
    else if (patch === null && code.files.length === 0)
      missing.push(
        'Only the commit was saved: what differed from it, if anything, is not here. wandb.init(save_code=True) saves it.',
      )
    if (!requirements) missing.push('The packages were not saved.')
    if ([patch, requirements, ...code.files].some((file) => file?.url === ''))
      missing.push('You may look at the files of this experiment, and not download them.')
    return {
      experiment: experimentName(experiment),
      command: details.command,
      words: wordsOf(details.environment, details.program),
      python: textOf(details.environment['python']),
      git: git && { remote: withoutSecrets(git.remote), commit: git.commit, patch },
      requirements,
      code,
      used: used.map((artifact) => shownVersion(ownMembership(artifact))),
      missing,
    }
  }

  /** From the artifact of type `code` that it made, or from its own files. */
  async function savedCode(
    actor: Actor,
    experiment: StoredExperiment,
    files: SavedFile[],
  ): Promise<Reproduction['code']> {
    const { artifacts } = await reading.listMade(actor, experiment, { limit: usedMax })
    const [code] = artifacts.filter(({ collection }) => collection.type === 'code')
    if (code) return { artifact: shownVersion(ownMembership(code)).source, files: await filesOf(actor, code) }
    const own = files
      .filter(({ path }) => path.startsWith(codeFolder))
      .slice(0, codeFilesMax)
      .map((file) => ({ ...file, path: file.path.slice(codeFolder.length) }))
    return { artifact: null, files: own }
  }

  async function filesOf(actor: Actor, artifact: StoredArtifact): Promise<SavedFile[]> {
    const mayDownload = await downloadable(actor, artifact).then(
      () => true,
      () => false,
    )
    if (!mayDownload) return []
    const files = await reading.listFiles(actor, artifact, { limit: codeFilesMax })
    return files
      .filter(({ ref }) => ref === null)
      .map(({ path, sizeBytes, url }) => ({ path, sizeBytes, url }))
  }

  return { reproduction }
}

function wordsOf(environment: Record<string, unknown>, program: string | null): string[] {
  const script = textOf(environment['codePathLocal']) ?? textOf(environment['codePath']) ?? program
  if (script === null) return []
  const given = environment['args']
  const args = Array.isArray(given) ? given.map(String) : []
  return [...(script.endsWith('.py') ? ['python'] : []), script, ...args]
}

/** A remote may be logged with a password in it, which is nobody's to read. */
function withoutSecrets(remote: string | null): string | null {
  return remote === null ? null : remote.replace(/^(\w+:\/\/)[^/@]*@/, '$1')
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
