/** Versions of artifacts by name, `[[team/]project/]name:version`: listed, inspected, fetched, deleted. */
import { rmdir } from 'node:fs/promises'
import { join, relative, resolve as resolvePath } from 'node:path'
import {
  type ArtifactCollectionInfo,
  type ArtifactFileInfo,
  type ArtifactVersion,
  GridError,
} from '@teamgrid/api'
import type { ArtifactReference } from '../artifact-references.ts'
import type { Context } from '../context.ts'
import { download, eachAtOnce } from '../download.ts'
import { folderName, placeUnder } from '../local-paths.ts'
import { createProgress } from '../progress.ts'
import type { Column } from '../table.ts'
import { shown } from '../text.ts'
import { bytes, minute } from '../time.ts'

type Named = Required<ArtifactReference>
type File = { version: ArtifactVersion; file: ArtifactFileInfo }

const versionsPerPage = 500
const filesPerPage = 1000
const filesAtOnce = 8

/** With the caller's default team where none is named. */
export async function placed(
  context: Context,
  reference: Omit<ArtifactReference, 'team'> & { team?: string | undefined },
): Promise<Named> {
  const team = reference.team ?? context.io.env['GRID_ENTITY'] ?? (await context.me()).defaultTeam
  return { ...reference, team }
}

const collectionColumns: Column<ArtifactCollectionInfo>[] = [
  { title: 'Name', cell: (one) => one.name },
  { title: 'Type', cell: (one) => (one.isLinks ? `${one.type} (links)` : one.type) },
  { title: 'Versions', cell: (one) => String(one.versions) },
  { title: 'Latest', cell: (one) => one.latest?.version ?? '–' },
  { title: 'Size', cell: (one) => bytes(one.sizeBytes) },
  { title: 'Updated', cell: (one) => minute(one.updatedAt) },
]

/** What a project has. */
export async function listCollections(
  context: Context,
  place: { team: string; project: string },
): Promise<void> {
  const { client } = await context.connection()
  context.printRows({
    columns: collectionColumns,
    rows: await client.artifacts.collections(place),
    json: (one) => ({
      name: one.name,
      type: one.type,
      is_links: one.isLinks,
      versions: one.versions,
      latest: one.latest?.version ?? null,
      size: one.sizeBytes,
      tags: one.tags,
      description: one.description,
      updated: one.updatedAt,
      ...place,
    }),
    empty: `There are no artifacts in ${shown(place.project)}.`,
  })
}

const versionColumns: Column<ArtifactVersion>[] = [
  { title: 'Version', cell: (one) => `${one.collection}:${one.version}` },
  { title: 'Aliases', cell: (one) => one.aliases.join(', ') },
  { title: 'Files', cell: (one) => String(one.fileCount) },
  { title: 'Size', cell: (one) => bytes(one.sizeBytes) },
  { title: 'By', cell: (one) => one.createdBy.username },
  { title: 'Created', cell: (one) => minute(one.createdAt) },
]

/** Every version of collections, newest first. */
export async function listVersions(context: Context, names: readonly Named[]): Promise<void> {
  const { client } = await context.connection()
  const rows: ArtifactVersion[] = []
  for (const { team, project, collection } of names) {
    let cursor: string | undefined
    do {
      const page = await client.artifacts.versions({
        team,
        project,
        collection,
        limit: versionsPerPage,
        ...(cursor === undefined ? {} : { cursor }),
      })
      rows.push(...page.items)
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
  }
  context.printRows({ columns: versionColumns, rows, json: versionJson, empty: 'None.' })
}

function versionJson(one: ArtifactVersion): Record<string, unknown> {
  return {
    name: `${one.collection}:${one.version}`,
    team: one.team,
    project: one.project,
    collection: one.collection,
    version: one.version,
    type: one.type,
    aliases: one.aliases,
    tags: one.tags,
    size: one.sizeBytes,
    files: one.fileCount,
    digest: one.digest,
    created: one.createdAt,
    created_by: one.createdBy.username,
    expires: one.expiresAt,
    source: one.source,
  }
}

/** What is known about versions: where from, what for, and what was noted with them. */
export async function inspect(context: Context, names: readonly Named[]): Promise<void> {
  const { client } = await context.connection()
  const found = []
  for (const { team, project, collection, version } of names)
    found.push(await client.artifacts.get({ team, project, collection, version }))
  if (context.json) {
    context.printJson(
      found.map((one) => ({
        ...versionJson(one),
        description: one.description,
        metadata: one.metadata,
        made_by: one.madeBy && `${one.madeBy.team}/${one.madeBy.project}/${one.madeBy.slug}`,
        used_by: one.usedBy.map((each) => `${each.team}/${each.project}/${each.slug}`),
        links: one.links.map((link) => `${link.team}/${link.project}/${link.collection}:${link.version}`),
      })),
    )
    return
  }
  for (const one of found) {
    const lines: [string, string][] = [
      ['Artifact', `${one.team}/${one.project}/${one.collection}:${one.version}`],
      ['Type', one.type],
      ['Aliases', one.aliases.join(', ') || '–'],
      ['Tags', one.tags.join(', ') || '–'],
      ['Content', `${files(one.fileCount)}, ${bytes(one.sizeBytes)}`],
      ['Created', `${minute(one.createdAt)} by ${one.createdBy.username}`],
      ['Made by', one.madeBy === null ? '–' : one.madeBy.name],
      ['Used by', one.usedBy.map((each) => each.name).join(', ') || '–'],
      [
        'Linked to',
        one.links.map((link) => `${link.project}/${link.collection}:${link.version}`).join(', ') || '–',
      ],
      ['Deleted by itself', one.expiresAt === null ? 'never' : minute(one.expiresAt)],
      ['Description', one.description ?? '–'],
      ['Metadata', Object.keys(one.metadata).length === 0 ? '–' : JSON.stringify(one.metadata)],
    ]
    for (const [name, value] of lines) context.say(`${name.padEnd(18)} ${shown(value)}`)
    context.say('')
  }
}

async function filesOf(context: Context, named: Named): Promise<File[]> {
  const { client } = await context.connection()
  const { team, project, collection } = named
  const version = await client.artifacts.get({ team, project, collection, version: named.version })
  if (version.downloadRefusal !== null) throw new GridError('policy_denied', version.downloadRefusal)
  const found: File[] = []
  let cursor: string | undefined
  do {
    const ref = { team, project, collection, version: version.version, limit: filesPerPage }
    const page = await client.artifacts.files({ ...ref, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.items.map((file) => ({ version, file })))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return found
}

const fileColumns: Column<File>[] = [
  { title: 'Artifact', cell: ({ version }) => `${version.collection}:${version.version}` },
  { title: 'Path', cell: ({ file }) => file.path },
  { title: 'Size', cell: ({ file }) => bytes(file.sizeBytes) },
  { title: 'Reference', cell: ({ file }) => file.reference ?? '' },
]

function fileJson({ version, file }: File): Record<string, unknown> {
  return {
    artifact: `${version.team}/${version.project}/${version.collection}:${version.version}`,
    path: file.path,
    size: file.sizeBytes,
    media_type: file.mediaType,
    digest: file.digest,
    reference: file.reference,
  }
}

/** The files of versions; `fits` chooses by path. */
export async function listVersionFiles(
  context: Context,
  names: readonly Named[],
  fits: (path: string) => boolean,
): Promise<void> {
  const rows: File[] = []
  for (const named of names) rows.push(...(await filesOf(context, named)))
  const chosen = rows.filter(({ file }) => fits(file.path))
  context.printRows({ columns: fileColumns, rows: chosen, json: fileJson, empty: 'None.' })
}

/** Fetches files to `<folder>/<collection>-<version>/<path>`. What a reference points to stays where it is. */
export async function downloadVersions(
  context: Context,
  names: readonly Named[],
  fits: (path: string) => boolean,
  folder: string,
): Promise<void> {
  const { io } = context
  const { url } = await context.connection()
  const all: File[] = []
  for (const named of names) all.push(...(await filesOf(context, named)))
  const chosen = all.filter(({ file }) => fits(file.path))
  const stored = chosen.filter(({ file }) => file.reference === null)
  const root = resolvePath(io.cwd, folder)
  const size = (some: readonly File[]) => some.reduce((sum, { file }) => sum + file.sizeBytes, 0)
  const progress = createProgress(io.stderr, io.now, size(stored), stored.length)
  const outcomes = new Map<File, { status: string; place: string | null; error: string | null }>()
  const fetchOne = async (one: File) => {
    const { version, file } = one
    const place = placeUnder(join(root, folderName(`${version.collection}-${version.version}`)), file.path)
    if (place === undefined) {
      outcomes.set(one, { status: 'failed', place: null, error: 'its path would leave the folder' })
      return
    }
    try {
      const status = await download(
        io,
        {
          url: file.url,
          sizeBytes: file.sizeBytes,
          md5Hex: file.md5Hex,
          updatedAt: version.createdAt,
          place,
        },
        {
          server: url,
          root,
          freshUrl: () => freshUrl(context, one),
          received: (count) => progress.received(count),
        },
      )
      if (status === 'unchanged') progress.received(file.sizeBytes)
      outcomes.set(one, { status, place, error: null })
    } catch (error) {
      if (io.interrupted.aborted) throw error
      outcomes.set(one, { status: 'failed', place, error: (error as Error).message })
    }
    progress.fileDone()
  }
  try {
    await eachAtOnce(stored, filesAtOnce, fetchOne)
  } finally {
    progress.end()
  }
  await rmdir(join(root, '.grid-partial')).catch(() => {})
  const of = (status: string) => stored.filter((one) => outcomes.get(one)?.status === status)
  const failed = of('failed')
  for (const one of failed)
    io.stderr.write(`✘ ${shown(one.file.path)}: ${shown(outcomes.get(one)!.error ?? '')}\n`)
  const references = chosen.length - stored.length
  if (context.json) {
    context.printJson(
      chosen.map((one) => {
        const { status, place, error } = outcomes.get(one) ?? {
          status: 'reference',
          place: null,
          error: null,
        }
        return { ...fileJson(one), status, file: place, error }
      }),
    )
  } else {
    const [got, same] = [of('downloaded'), of('unchanged')]
    context.say(
      `Downloaded ${files(got.length)} (${bytes(size(got))}) to ${relative(io.cwd, root) || '.'}, skipped ${files(same.length)} unchanged (${bytes(size(same))}).`,
    )
    if (references > 0)
      context.say(
        `${references} more are references to other places, which --list shows and nothing downloads.`,
      )
  }
  if (failed.length > 0) {
    throw new GridError('unavailable', `${files(failed.length)} could not be downloaded`, {
      hint: 'Run the command again: what is there already is kept and continued.',
    })
  }
}

async function freshUrl(context: Context, { version, file }: File): Promise<string> {
  const { team, project, collection } = version
  const again = await filesOf(context, { team, project, collection, version: version.version })
  const found = again.find((one) => one.file.path === file.path)
  if (!found) throw new GridError('not_found', 'it was deleted meanwhile')
  return found.file.url
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`
}
