/** Files of runs: asked for, sent and fetched by name. Every url is signed, for the client sends no key with them. */
import { GridError } from '@teamgrid/api'
import type { Access } from '../../access.ts'
import type { Actor } from '../../actor.ts'
import { cleanPath } from '../../experiments/experiment.ts'
import type { Experiments } from '../../experiments/service.ts'
import type { ExperimentRef, StoredExperiment, StoredFile } from '../../experiments/types.ts'
import type { Resolvers } from '../graphql.ts'
import { mediaTypeOf } from '../../lib/media-type.ts'
import { fileId, readFileId } from '../words.ts'
import { connectionOf, lengthOf, offsetOf, type PageArguments } from './connections.ts'

/** A file of a run as the client knows it: `stored` is missing for one that was only asked for. */
export type RunFileNode = {
  experiment: StoredExperiment
  name: string
  stored?: StoredFile
}

type FilesArguments = PageArguments & { names?: (string | null)[] | null; pattern?: string | null }
type RunFilesInput = { entityName: string; projectName: string; runName: string; files: string[] }

const filesPerPage = 50

export function fileResolvers({
  access,
  experiments,
}: {
  access: Access
  experiments: Experiments
}): Resolvers {
  async function runOf(actor: Actor, ref: ExperimentRef): Promise<StoredExperiment> {
    const experiment = await experiments.find(actor, ref)
    if (!experiment)
      throw new GridError('not_found', `There is no run ${ref.team}/${ref.project}/${ref.slug}`)
    return experiment
  }

  /** Urls to PUT to, in the order asked; null for a name that no file may have, which the client then leaves out. */
  async function uploadUrls(actor: Actor, ref: ExperimentRef, names: string[]): Promise<(string | null)[]> {
    const paths = names.map(possiblePath)
    const known = paths.filter((path) => path !== null)
    const urls = known.length === 0 ? [] : await experiments.uploadUrls(actor, ref, known)
    const urlOf = new Map(urls.map(({ path, url }) => [path, url]))
    return paths.map((path) => (path === null ? null : (urlOf.get(path) ?? null)))
  }

  return {
    Mutation: {
      async createRunFiles(_: unknown, { input }: { input: RunFilesInput }, { actor }) {
        const ref = refOf(input)
        const run = await runOf(actor, ref)
        const urls = await uploadUrls(actor, ref, input.files)
        return {
          runID: run.slug,
          uploadHeaders: [],
          files: input.files.map((name, index) => ({ experiment: run, name, uploadUrl: urls[index] })),
        }
      },
      // A file is here as soon as its PUT was answered; this only has to be true, and not wake the run.
      async markRunFilesUploaded(_: unknown, { input }: { input: RunFilesInput }, { actor }) {
        await runOf(actor, refOf(input))
        return { success: true }
      },
      async deleteFiles(_: unknown, { input }: { input: { files: string[] } }, { actor }) {
        const byRun = Map.groupBy(
          input.files.map((id) => readFileId(id)),
          (file) => file?.experimentId,
        )
        if (byRun.has(undefined)) throw new GridError('not_found', 'There is no file with this id')
        for (const [id, files] of byRun) {
          await experiments.removeFiles(
            actor,
            id!,
            files.map((file) => file!.path),
          )
        }
        return { success: true }
      },
    },
    Run: {
      fileCount: async (run: StoredExperiment, _: unknown, { actor }) =>
        (await experiments.listFiles(actor, run.id, {})).length,
      async files(run: StoredExperiment, args: FilesArguments, { actor }) {
        const offset = offsetOf(args.after)
        const wanted = await listed(run, args, actor)
        const page = wanted.slice(offset, offset + lengthOf(args.first, filesPerPage))
        const more = offset + page.length < wanted.length
        return { ...connectionOf(page, offset, more), uploadHeaders: [], totalCount: wanted.length }
      },
    },
    File: {
      ...ofRunFile('id', ({ experiment, name }) => fileId(experiment.id, possiblePath(name) ?? name)),
      ...ofRunFile('displayName', ({ name }) => name),
      ...ofRunFile('url', async (file, actor, { upload }: { upload?: boolean | null }) =>
        upload ? uploadUrlOf(file, actor) : downloadUrlOf(file, actor),
      ),
      ...ofRunFile('directUrl', (file, actor) => downloadUrlOf(file, actor)),
      ...ofRunFile('uploadHeaders', () => []),
      ...ofRunFile('sizeBytes', ({ stored }) => stored?.sizeBytes ?? 0),
      ...ofRunFile('mimetype', ({ name }) => mediaTypeOf(name)),
      ...ofRunFile('md5', ({ stored }) => (stored ? base64Of(stored.md5Hex) : null)),
      ...ofRunFile('digest', ({ stored }) => (stored ? base64Of(stored.md5Hex) : null)),
      ...ofRunFile('updatedAt', ({ stored }) => stored?.updatedAt ?? null),
    },
  }

  /** Asked by name, a file that is not stored is listed too: its download says 404, and older clients upload to it. */
  async function listed(run: StoredExperiment, args: FilesArguments, actor: Actor): Promise<RunFileNode[]> {
    if (args.names) {
      const names = args.names.filter((name) => name !== null)
      const paths = names.map(possiblePath).filter((path) => path !== null)
      const stored = paths.length === 0 ? [] : await experiments.listFiles(actor, run.id, { names: paths })
      const storedAt = new Map(stored.map((file) => [file.path, file]))
      return names.map((name) => ({ experiment: run, name, stored: storedAt.get(possiblePath(name) ?? '') }))
    }
    const stored = await experiments.listFiles(actor, run.id, args.pattern ? { like: args.pattern } : {})
    return stored.map((file) => ({ experiment: run, name: file.path, stored: file }))
  }

  /** @throws GridError policy_denied where view-only members may look and not download. */
  async function downloadUrlOf({ experiment, name, stored }: RunFileNode, actor: Actor): Promise<string> {
    if (!stored) return `${actor.origin}${runFilePath(experiment, name)}`
    await access.allowed(actor, 'file:download', experiment)
    return experiments.fileUrl(actor, stored)
  }

  async function uploadUrlOf({ experiment, name }: RunFileNode, actor: Actor): Promise<string | null> {
    const { teamSlug, projectName, slug } = experiment
    const [url] = await uploadUrls(actor, { team: teamSlug, project: projectName, slug }, [name])
    return url ?? null
  }
}

/** Where a file of a run is found with a key, whether it is there yet or not. */
export function runFilePath({ teamSlug, projectName, slug }: StoredExperiment, name: string): string {
  const parts = [teamSlug, projectName, slug, ...name.split('/')]
  return `/files/${parts.map(encodeURIComponent).join('/')}`
}

function refOf({ entityName, projectName, runName }: RunFilesInput): ExperimentRef {
  return { team: entityName, project: projectName, slug: runName }
}

function possiblePath(name: string): string | null {
  try {
    return cleanPath(name)
  } catch {
    return null
  }
}

const base64Of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')

/** `File` is also what artifacts are made of; their nodes carry every field themselves. */
function ofRunFile<Arguments>(
  field: string,
  read: (file: RunFileNode, actor: Actor, args: Arguments) => unknown,
): Record<
  string,
  (file: RunFileNode & Record<string, unknown>, args: Arguments, context: { actor: Actor }) => unknown
> {
  return {
    [field]: (file, args, { actor }) => (file.experiment ? read(file, actor, args) : file[field]),
  }
}
