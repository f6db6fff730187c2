/** How artifacts look to the client: ids, and the nodes that more than one field answers with. */
import {
  type ArtifactFile,
  type Filter,
  type Membership,
  type Order,
  printArtifactId,
  readOrder,
  type StoredCollection,
} from '../../artifacts/service.ts'
import { parseObject } from '../words.ts'
import type { Connection } from './connections.ts'

export type MembershipNode = Membership
export type TypeNode = { projectId: string; teamId: string; name: string; createdAt: Date }
export type AliasNode = { alias: string; collection: StoredCollection }

/** Padded base64 of `Kind:v1:part:part`; texts go in as hex, so that nothing but plain ASCII is encoded. */
export function idOf(kind: string, ...parts: string[]): string {
  return Buffer.from([kind, 'v1', ...parts].join(':')).toString('base64')
}

export function hexOf(text: string): string {
  return Buffer.from(text).toString('hex')
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The uuid in an id of that kind; undefined for anything that we did not make. */
export function readId(kind: string, given: string): string | undefined {
  const [name, version, id = ''] = Buffer.from(given, 'base64').toString('latin1').split(':')
  return name === kind && version === 'v1' && uuidPattern.test(id) ? id : undefined
}

export function aliasesOf({ aliases, collection }: Membership): AliasNode[] {
  return aliases.map((alias) => ({ alias, collection }))
}

/** Absent and empty filter nothing. @throws GridError invalid for what is no JSON object. */
export function filterOf(filters: string | null | undefined): Filter | undefined {
  return filters ? parseObject(filters, 'filters') : undefined
}

export function orderOf(order: string | null | undefined): Order | undefined {
  return order ? readOrder(order) : undefined
}

/** A file node carries every field itself; see `File` in files.ts. */
export function fileNode(file: ArtifactFile, origin: string) {
  const { artifact, path } = file
  const stored = file.ref === null
  return {
    id: idOf('ArtifactFile', artifact.id, hexOf(path)),
    name: path,
    displayName: path,
    url: stored ? keyedUrl(file, origin) : file.url,
    directUrl: file.url,
    uploadUrl: null,
    uploadHeaders: [],
    sizeBytes: file.sizeBytes,
    mimetype: file.mediaType,
    md5: file.digest,
    digest: file.digest,
    updatedAt: artifact.committedAt,
    storagePath: stored
      ? `wandb_artifacts/${artifact.collection.projectNumber}/${artifact.id}/${md5HexOf(file.digest)}`
      : null,
    uploadMultipartUrls: null,
    artifact,
  }
}

/** The address that clients also make up themselves; it needs a key. */
function keyedUrl({ artifact, digest, path, birthArtifactId }: ArtifactFile, origin: string): string {
  const { teamSlug, projectName, name } = artifact.collection
  const parts = [
    'default',
    teamSlug,
    projectName,
    name,
    printArtifactId(artifact.id),
    printArtifactId(birthArtifactId ?? artifact.id),
    md5HexOf(digest),
    path.split('/').at(-1)!,
  ]
  return `${origin}/artifactsV2/${parts.map(encodeURIComponent).join('/')}`
}

const md5HexOf = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')

/** A page of files, whose cursor is the path of the last one. */
export function fileConnection(
  files: ArtifactFile[],
  { origin, hasNextPage, totalCount }: { origin: string; hasNextPage: boolean; totalCount: number },
): Connection<unknown> {
  const edges = files.map((file) => ({ node: fileNode(file, origin), cursor: pathCursor(file.path) }))
  return { edges, pageInfo: { endCursor: edges.at(-1)?.cursor ?? null, hasNextPage }, totalCount }
}

function pathCursor(path: string): string {
  return Buffer.from(`path:${path}`).toString('base64')
}

export function readPathCursor(cursor: string | null | undefined): string | undefined {
  if (!cursor) return undefined
  const text = Buffer.from(cursor, 'base64').toString()
  return text.startsWith('path:') && !text.includes('\0') ? text.slice(5) : undefined
}
