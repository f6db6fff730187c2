/**
 * The rules about artifacts that need no store: names, how a version is called, what a digest looks like.
 * Manifests have their own file.
 */
import { GridError } from '@teamgrid/api'
import type { Guarded } from '../actor.ts'

/** A collection with the project and team above it. Versions of it are numbered from 0. */
export type StoredCollection = {
  id: string
  projectId: string
  projectName: string
  projectNumber: number
  /** Of the project: `private` ones are their maker's and the admins' alone. */
  visibility: 'team' | 'private'
  keptById: string | null
  teamId: string
  teamSlug: string
  name: string
  type: string
  kind: 'sequence' | 'portfolio'
  /** Its project is a registry of the organisation. */
  inRegistry: boolean
  description: string | null
  tags: string[]
  createdAt: Date
  updatedAt: Date
}

/** How a client names content: `md5`, or the 128 bits of XXH3. */
export type DigestAlgorithm = 'md5' | 'xxh128'

/** That a version is in a collection: in the one it was made in, or in one of links. */
export type Membership = {
  artifact: StoredArtifact
  collection: StoredCollection
  versionIndex: number | null
  aliases: string[]
  createdAt: Date
}

export type ArtifactState = 'pending' | 'committed' | 'deleted'

/** One version of a collection. `Guarded`, so that `allowed()` takes it. */
export type StoredArtifact = Guarded & {
  id: string
  collection: StoredCollection
  state: ArtifactState
  /** Null until committed. */
  versionIndex: number | null
  /** As the client gave it: hex MD5 of the manifest it sent. */
  digest: string
  digestAlgorithm: DigestAlgorithm
  /** Ours, of the whole merged content; null until committed. */
  contentDigest: string | null
  manifestKey: string | null
  description: string | null
  metadata: Record<string, unknown> | null
  tags: string[]
  /** Asked for at creation, given at commit. */
  wantedAliases: string[]
  /** Aliases it has now in its own collection. */
  aliases: string[]
  /** Collections of links that it is in. */
  linkCount: number
  /** Null: as its team says; 0: kept for ever. */
  ttlSeconds: number | null
  /** What its team says; null: kept for ever. */
  teamTtlSeconds: number | null
  historyStep: number | null
  distributedId: string | null
  sizeBytes: number
  fileCount: number
  producerId: string | null
  createdById: string | null
  createdBy: { username: string; name: string }
  createdAt: Date
  committedAt: Date | null
}

/** The alias that always follows the newest version. */
export const newestAlias = 'latest'

const nameLengthMax = 128
// `/` would end a path segment of links, `:` separates the collection from the version. Control characters help nobody.
const collectionName = /^[^/:\p{Cc}]{1,128}$/u
const tag = /^[-\w]+( +[-\w]+)*$/
const type = /^[-\w]+([ ]*[-.\w]+)*$/
const versionAlias = /^v\d+$/

/** @throws GridError invalid */
export function checkCollectionName(name: string): string {
  if (collectionName.test(name) && name.isWellFormed()) return name
  throw new GridError(
    'invalid',
    `"${shorten(name)}" cannot name an artifact: 1 to ${nameLengthMax} characters, without "/" and ":".`,
  )
}

/** @throws GridError invalid; also for `v7`, which only ever means the version of that number. */
export function checkAlias(alias: string): string {
  if (!collectionName.test(alias) || !alias.isWellFormed()) {
    throw new GridError(
      'invalid',
      `"${shorten(alias)}" cannot be an alias: 1 to ${nameLengthMax} characters, without "/" and ":".`,
    )
  }
  if (versionAlias.test(alias)) {
    throw new GridError(
      'invalid',
      `"${alias}" cannot be an alias: it always means the version of that number.`,
    )
  }
  return alias
}

/**
 * Of tables that a client logs row by row: each version brings the new rows alone and has those of all before it.
 * Source: wandb sdk/internal/incremental_table_util.py (ART_TYPE), read 2026-11.
 */
export const growingTableType = 'wandb-run-incremental-table'

/** @throws GridError invalid */
export function checkType(name: string): string {
  if (name.length > nameLengthMax || !type.test(name)) {
    throw new GridError(
      'invalid',
      `"${shorten(name)}" cannot be a type of artifacts: letters, digits, "_", "-", "." and spaces between them, at most ${nameLengthMax}.`,
    )
  }
  if (name.startsWith('wandb-') && name !== growingTableType) {
    throw new GridError(
      'invalid',
      `"${name}" cannot be a type of artifacts: names with "wandb-" are reserved.`,
    )
  }
  return name
}

/** @throws GridError invalid */
export function checkTag(name: string): string {
  if (name.length <= nameLengthMax && tag.test(name)) return name
  throw new GridError(
    'invalid',
    `"${shorten(name)}" cannot be a tag: letters, digits, "_", "-" and spaces between them, at most ${nameLengthMax}.`,
  )
}

/** `ds:v3` → collection `ds`, version 3; `ds:best` → an alias; `ds` alone means the newest. */
export function readVersionName(name: string): { collection: string; version: VersionRef } {
  const colon = name.lastIndexOf(':')
  if (colon < 0) return { collection: name, version: readVersionRef(newestAlias) }
  return { collection: name.slice(0, colon), version: readVersionRef(name.slice(colon + 1)) }
}

export type VersionRef = { index: number } | { alias: string }

export function readVersionRef(text: string): VersionRef {
  const index = versionAlias.test(text) ? Number(text.slice(1)) : NaN
  // Beyond Postgres' integer there is no version; as an alias it is simply not found.
  return index <= 2_147_483_647 ? { index } : { alias: text }
}

/** Base64 of 16 bytes, as clients write an MD5, as 32 hex digits; undefined for anything else. */
export function md5HexOf(base64: string): string | undefined {
  if (!/^[A-Za-z0-9+/]{22}==$/.test(base64)) return undefined
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes.toString('hex') : undefined
}

export const md5HexPattern = /^[0-9a-f]{32}$/

/** What stored content is called: its MD5 in hex, or `x` and its XXH128. */
export const contentPattern = /^x?[0-9a-f]{32}$/

/** The name of content whose digest a client gave in base64; undefined when it is none. */
export function contentName(base64: string, algorithm: DigestAlgorithm): string | undefined {
  const hex = md5HexOf(base64)
  return hex !== undefined && algorithm === 'xxh128' ? `x${hex}` : hex
}

/** How a version of a collection is called by people: `ds:v3`. */
export function versionName(collection: string, index: number | null): string {
  return index === null ? collection : `${collection}:v${index}`
}

/** A version is a member of the collection that it was made in. */
export function ownMembership(artifact: StoredArtifact): Membership {
  const { collection, versionIndex, aliases, committedAt, createdAt } = artifact
  return { artifact, collection, versionIndex, aliases, createdAt: committedAt ?? createdAt }
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

const printedId = /^Artifact:v1:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/**
 * An id as manifests and references carry it: padded base64 of `Artifact:v1:<uuid>`. Clients turn it into hex for
 * `wandb-artifact://` references and back, and put it into urls as it is; it never has a `/` or `+`.
 */
export function printArtifactId(id: string): string {
  return Buffer.from(`Artifact:v1:${id}`).toString('base64')
}

/** @returns the uuid; undefined for what is no id of an artifact of ours, or not exactly as we print it. */
export function readArtifactId(printed: string): string | undefined {
  const id = printedId.exec(Buffer.from(printed, 'base64').toString('latin1'))?.[1]
  return id !== undefined && printArtifactId(id) === printed ? id : undefined
}
