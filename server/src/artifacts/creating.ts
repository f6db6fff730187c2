/**
 * The first half of saving: a version is announced, its manifest and its files get places to be sent to. Nothing is
 * visible until `commit.ts` publishes it. Every step may arrive twice, late or not at all: a client repeats what it
 * got no answer to.
 * Source of the protocol: wandb core/pkg/artifacts/saver.go, read 2026-08.
 */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { writerOf } from '../lib/signed.ts'
import { storableText, toStrictJson } from '../lib/tolerant-json.ts'
import {
  checkAlias,
  checkCollectionName,
  checkTag,
  checkType,
  contentName,
  type DigestAlgorithm,
  md5HexOf,
  md5HexPattern,
  newestAlias,
  type StoredArtifact,
  type StoredCollection,
} from './artifact.ts'
import * as contents from './content-store.ts'
import type { ManifestType, StoredManifest } from './content-store.ts'
import type { ArtifactsDeps } from './deps.ts'
import { checkPath } from './manifest.ts'
import type { News } from './news.ts'
import type { Permission } from './permission.ts'
import * as collectionStore from './collection-store.ts'
import * as store from './store.ts'

export type NewArtifact = {
  team: string
  project: string
  /** Slug of the experiment that makes it; null when none does. */
  experiment: string | null
  collection: string
  type: string
  /** Hex MD5 (or XXH128) of the manifest that the client is about to send. */
  digest: string
  digestAlgorithm?: DigestAlgorithm
  description?: string | null
  metadata?: Record<string, unknown> | null
  aliases?: string[]
  tags?: string[]
  ttlSeconds?: number | null
  historyStep?: number | null
  /** Writers that name the same one make one version together. */
  distributedId?: string | null
  /** The client's own names for this version and for its collection, good for one call repeated. */
  clientId?: string | null
  collectionClientId?: string | null
  /** Answer with the newest version if its content is the same. */
  deduplicate?: boolean
}

export type ManifestPlace = {
  manifest: StoredManifest
  /** Null while the client has not told the digest of the file. */
  uploadUrl: string | null
}

export type FilePlace = {
  artifactId: string
  name: string
  /** Opaque to clients. */
  storagePath: string
  /** Null when the project stores this content already, or another file of the same answer brings it. */
  uploadUrl: string | null
  /** Where to send its parts instead; null when none were announced. */
  partUrls: { partNumber: number; url: string }[] | null
  birthArtifactId: string
}

/** `digest` is base64. */
export type NewFile = {
  artifactId: string
  name: string
  digest: string
  algorithm?: DigestAlgorithm
  parts?: FilePart[] | null
}

/** A piece of a large file; numbers count from 1. */
export type FilePart = { partNumber: number; md5Hex: string }

export const filesAtOnceMax = 20_000
/** S3's own limit, which clients keep to. */
export const partsMax = 10_000
const aliasesMax = 100
const tagsMax = 100
const digestLengthMax = 128
const clientIdLengthMax = 512
const descriptionLengthMax = 100_000
const metadataLengthMax = 4_000_000
/** Writers of one version. */
const manifestsMax = 10_000

export function createCreating(deps: ArtifactsDeps, { writable, visible }: Permission, news: News) {
  const { db, access, teams, experiments, signed, clock } = deps

  /**
   * Announces a version. The same `clientId` again gives the same version, whatever became of it; the same content as
   * the newest version gives that one, with the aliases and tags asked for now.
   *
   * @returns a pending version to be filled, or a committed one.
   * @throws GridError not_found, forbidden, invalid for names that cannot be.
   */
  async function createArtifact(actor: Actor, input: NewArtifact): Promise<StoredArtifact> {
    const wanted = checked(input)
    const createdBy = actor.attributedTo?.userId ?? actor.userId
    if (createdBy === null) {
      throw new GridError('forbidden', 'Artifacts belong to a person; log with a personal or a service key.')
    }
    const place = await placeOf(actor, wanted)
    const id = await db.transaction().execute(async (trx) => {
      const projectId =
        place.projectId ?? (await teams.ensureProject(trx, actor, place.team, input.project)).project.id
      const collection = await collectionStore.lockCollection(
        trx,
        { id: newId(), projectId, name: wanted.collection, type: wanted.type },
        clock.now(),
      )
      if (collection.type !== wanted.type || collection.kind !== 'sequence')
        throw otherType(collection, wanted.type)
      const existing = await findExisting(trx, actor, collection, wanted)
      const artifactId = existing ?? newId()
      if (existing === undefined) {
        await store.insertArtifact(trx, {
          id: artifactId,
          collectionId: collection.id,
          ...wanted,
          experimentId: place.experimentId,
          createdBy,
          viaUserId: actor.attributedTo ? actor.userId : null,
          createdAt: clock.now(),
        })
      }
      const named = { projectId, collectionId: collection.id }
      if (wanted.clientId)
        await collectionStore.rememberClientId(trx, wanted.clientId, { ...named, artifactId })
      if (wanted.collectionClientId) {
        await collectionStore.rememberClientId(trx, wanted.collectionClientId, { ...named, artifactId: null })
      }
      return artifactId
    })
    news.committed()
    return (await store.findArtifact(db, id))!
  }

  /** Where it shall be made, proven. The project of a version that no experiment makes may not exist yet. */
  async function placeOf(
    actor: Actor,
    { team: slug, project, experiment }: Pick<NewArtifact, 'team' | 'project' | 'experiment'>,
  ) {
    if (experiment !== null) {
      const found = await access.allowed(
        actor,
        'experiment:log',
        experiments.find(actor, { team: slug, project, slug: experiment }),
      )
      return {
        experimentId: found.id,
        projectId: found.projectId,
        team: { id: found.teamId, slug: found.teamSlug },
      }
    }
    const team = await access.allowed(actor, 'artifact:create', teams.teamGuard(slug))
    const found = await teams.findProjectGuard(slug, project)
    if (found) await access.allowed(actor, 'artifact:read', found)
    return { experimentId: null, projectId: found?.id ?? null, team: { id: team.id, slug: team.slug } }
  }

  /** The collection is locked, so two that ask at once cannot both find nothing. */
  async function findExisting(
    trx: store.Db,
    actor: Actor,
    collection: StoredCollection,
    wanted: Checked,
  ): Promise<string | undefined> {
    if (wanted.clientId) {
      const [named] = await collectionStore.findByClientId(trx, wanted.clientId, collection.projectId)
      if (named?.artifactId) {
        await store.touch(trx, [named.artifactId], clock.now())
        return named.artifactId
      }
    }
    if (wanted.distributedId !== null) {
      const shared = await store.findPendingShared(trx, collection.id, wanted.distributedId)
      if (shared) {
        await store.wantMore(trx, shared.id, wanted.wantedAliases, wanted.tags)
        await store.touch(trx, [shared.id], clock.now())
      }
      return shared?.id
    }
    if (!wanted.deduplicate) return undefined
    const newest = await store.newestVersion(trx, collection.id)
    // Without a name of its own it is an existing version logged again, and that may be an old one.
    const same =
      newest?.contentDigest === wanted.digest
        ? newest
        : wanted.clientId
          ? undefined
          : await store.newestVersion(trx, collection.id, { contentDigest: wanted.digest })
    if (!same) return undefined
    const aliases = wanted.wantedAliases.filter((alias) => alias !== newestAlias || same === newest)
    await collectionStore.giveAliases(trx, collection.id, same.id, aliases)
    const tags = [...new Set([...same.tags, ...wanted.tags])]
    if (tags.length > same.tags.length) await store.changeArtifact(trx, same.id, { tags })
    await news.tellOfChange(trx, actor, same, (await store.findArtifact(trx, same.id))!)
    return same.id
  }

  /**
   * A place for a manifest. A version has one, and the next replaces it, keeping its id; of a version that several
   * writers make, each `PATCH` is one more.
   *
   * @param input.digest base64 MD5 of the file to come, or empty to only hold the place.
   * @throws GridError invalid when the version is committed already.
   */
  async function createManifest(
    actor: Actor,
    input: {
      artifactId: string
      baseArtifactId: string | null
      name: string
      type: ManifestType
      digest: string
    },
  ): Promise<ManifestPlace> {
    const artifact = await writable(actor, input.artifactId)
    if (input.baseArtifactId !== null) await visible(actor, input.baseArtifactId)
    checkDigest(input.digest)
    const manifest = await db.transaction().execute(async (trx) => {
      await lockPending(trx, artifact)
      await store.touch(trx, [artifact.id], clock.now())
      const all = await contents.listManifests(trx, artifact.id)
      if (all.length >= manifestsMax) {
        throw new GridError('too_large', `One artifact has at most ${manifestsMax} writers.`)
      }
      const replaced = input.type === 'PATCH' ? undefined : all.find((each) => each.type !== 'PATCH')
      const { name, type, baseArtifactId } = { ...input, name: checkPath(input.name) }
      const manifestId = replaced?.id ?? newId()
      if (replaced) {
        // To hold a place that is filled already is what a late repetition asks; it must not empty it.
        const digest = input.digest || replaced.digest
        await contents.changeManifest(trx, manifestId, { name, type, digest, baseArtifactId })
      } else {
        await contents.insertManifest(trx, { ...input, name, id: manifestId })
      }
      return (await contents.findManifest(trx, manifestId))!
    })
    return placeOfManifest(actor, artifact, manifest)
  }

  /** Tells the digest of a manifest whose place was held. Null leaves alone. */
  async function updateManifest(
    actor: Actor,
    input: { manifestId: string; digest: string | null; baseArtifactId: string | null },
  ): Promise<ManifestPlace> {
    const found = await contents.findManifest(db, input.manifestId)
    if (!found) throw new GridError('not_found')
    const artifact = await writable(actor, found.artifactId)
    if (input.baseArtifactId !== null) await visible(actor, input.baseArtifactId)
    if (input.digest !== null) checkDigest(input.digest)
    const manifest = await db.transaction().execute(async (trx) => {
      await lockPending(trx, artifact)
      await store.touch(trx, [artifact.id], clock.now())
      await contents.changeManifest(trx, found.id, {
        digest: input.digest ?? found.digest,
        baseArtifactId: input.baseArtifactId ?? found.baseArtifactId,
      })
      return (await contents.findManifest(trx, found.id))!
    })
    return placeOfManifest(actor, artifact, manifest)
  }

  function placeOfManifest(
    actor: Actor,
    { id, teamId }: StoredArtifact,
    manifest: StoredManifest,
  ): ManifestPlace {
    const writer = writerOf(actor, teamId, { kind: 'artifact', id })
    const claim = { do: 'put-manifest', manifestId: manifest.id, ...writer } as const
    const url = signed.sign(claim, { fileName: manifest.name })
    return { manifest, uploadUrl: manifest.digest === '' ? null : actor.origin + url }
  }

  /**
   * Places for files, in the order asked. What the project stores already, or is asked for twice, need not be sent
   * again; what other projects store makes no difference, so an answer tells nothing about them.
   *
   * @param files `parts` of a large file, each with its own MD5 in hex, get a link each; a link for the whole is given
   *   as well.
   * @throws GridError invalid for a name that leads out of the artifact, or what is no MD5.
   */
  async function createFiles(actor: Actor, files: NewFile[]): Promise<FilePlace[]> {
    if (files.length > filesAtOnceMax) {
      throw new GridError('too_large', `At most ${filesAtOnceMax} files can be announced at once.`)
    }
    const artifacts = new Map<string, StoredArtifact>()
    for (const id of new Set(files.map((file) => file.artifactId)))
      artifacts.set(id, await writable(actor, id))
    const asked = files.map((file) => {
      const artifact = artifacts.get(file.artifactId)!
      const name = checkPath(file.name)
      const content = contentName(file.digest, file.algorithm ?? 'md5')
      if (content === undefined)
        throw new GridError('invalid', `The digest of ${JSON.stringify(name)} is not an MD5.`)
      return { artifact, name, content, parts: checkParts(file.parts, name) }
    })
    const known = await claimAll(asked)
    const sent = new Set<string>()
    return asked.map(({ artifact, name, content, parts }) => {
      const blob = known.get(artifact.collection.projectId)!.get(content)
      if (!blob && artifact.state !== 'pending') throw alreadyCommitted(artifact)
      const isNeeded = !blob && !sent.has(`${artifact.id} ${content}`)
      sent.add(`${artifact.id} ${content}`)
      const writer = writerOf(actor, artifact.teamId, { kind: 'artifact', id: artifact.id })
      const claim = { do: 'put-artifact', artifactId: artifact.id, md5Hex: content, ...writer } as const
      return {
        artifactId: artifact.id,
        name,
        storagePath: storagePathOf(artifact, content),
        uploadUrl: isNeeded ? actor.origin + signed.sign(claim, { fileName: name }) : null,
        partUrls: isNeeded ? partUrlsOf(actor, artifact, { name, content, parts }) : null,
        birthArtifactId: blob?.birthArtifactId ?? artifact.id,
      }
    })
  }

  /** Notes what is counted on, and tells what is stored of it, by project and name of content. */
  async function claimAll(
    asked: { artifact: StoredArtifact; content: string }[],
  ): Promise<Map<string, Map<string, contents.Blob>>> {
    const known = new Map<string, Map<string, contents.Blob>>()
    for (const [projectId, group] of Map.groupBy(asked, ({ artifact }) => artifact.collection.projectId)) {
      const names = [...new Set(group.map(({ content }) => content))]
      const found = await db.transaction().execute(async (trx) => {
        await contents.shareProject(trx, projectId)
        const pending = group.filter(({ artifact }) => artifact.state === 'pending')
        const byArtifact = Map.groupBy(pending, ({ artifact }) => artifact.id)
        for (const [id, of] of byArtifact) {
          await contents.claim(trx, id, projectId, [...new Set(of.map(({ content }) => content))])
        }
        await store.touch(trx, [...byArtifact.keys()], clock.now())
        return await contents.findBlobs(trx, projectId, names)
      })
      known.set(projectId, found)
    }
    return known
  }

  /** One link for each part, if the client is ready to send parts. */
  function partUrlsOf(
    actor: Actor,
    artifact: StoredArtifact,
    { name, content, parts }: { name: string; content: string; parts: FilePart[] | null },
  ): { partNumber: number; url: string }[] | null {
    if (parts === null) return null
    const writer = writerOf(actor, artifact.teamId, { kind: 'artifact', id: artifact.id })
    return parts.map(({ partNumber, md5Hex }) => {
      const claim = {
        do: 'put-part',
        artifactId: artifact.id,
        content,
        partNumber,
        partCount: parts.length,
        md5Hex,
        ...writer,
      } as const
      return { partNumber, url: actor.origin + signed.sign(claim, { fileName: name }) }
    })
  }

  return { createArtifact, createManifest, updateManifest, createFiles }
}

const storagePath = /^artifacts\/\d+\/([0-9a-f-]{36})\/(x?[0-9a-f]{32})$/

function storagePathOf(artifact: StoredArtifact, content: string): string {
  return `artifacts/${artifact.collection.projectNumber}/${artifact.id}/${content}`
}

/** What an opaque storage path stands for. @throws GridError invalid for one that we did not give out. */
export function readStoragePath(path: string): { artifactId: string; content: string } {
  const [, artifactId, content] = storagePath.exec(path) ?? []
  if (artifactId === undefined || content === undefined) {
    throw new GridError('invalid', 'This storage path was not given out by this server.')
  }
  return { artifactId, content }
}

function checkParts(parts: FilePart[] | null | undefined, name: string): FilePart[] | null {
  if (!parts || parts.length === 0) return null
  const isWhole =
    parts.length <= partsMax &&
    parts.every(({ partNumber, md5Hex }, at) => partNumber === at + 1 && md5HexPattern.test(md5Hex))
  if (isWhole) return parts
  throw new GridError(
    'invalid',
    `The parts of ${JSON.stringify(name)} are numbered 1 to at most ${partsMax}, each with the hex of its MD5.`,
  )
}

/** Locks a version until the transaction ends. @throws GridError invalid when it takes no more content. */
async function lockPending(trx: store.Db, artifact: StoredArtifact): Promise<void> {
  const now = await store.lockArtifact(trx, artifact.id)
  if (now?.state !== 'pending') throw alreadyCommitted(artifact)
}

type Checked = ReturnType<typeof checked>

function checked(input: NewArtifact) {
  if (input.digest === '' || input.digest.length > digestLengthMax) {
    throw new GridError('invalid', 'An artifact needs the digest of its manifest.')
  }
  for (const id of [input.clientId, input.collectionClientId, input.distributedId]) {
    if (id != null && (id.length > clientIdLengthMax || id.includes('\0') || !id.isWellFormed())) {
      throw new GridError('invalid', `A client's id has at most ${clientIdLengthMax} plain characters.`)
    }
  }
  const aliases = [...new Set(input.aliases ?? [])]
  const tags = [...new Set(input.tags ?? [])]
  if (aliases.length > aliasesMax)
    throw new GridError('invalid', `An artifact has at most ${aliasesMax} aliases.`)
  if (tags.length > tagsMax) throw new GridError('invalid', `An artifact has at most ${tagsMax} tags.`)
  return {
    ...input,
    digest: storableText(input.digest),
    collection: checkCollectionName(input.collection),
    type: checkType(input.type),
    description: input.description ? checkDescription(input.description) : null,
    metadata: input.metadata ? checkMetadata(input.metadata) : null,
    wantedAliases: aliases.map(checkAlias),
    tags: tags.map(checkTag),
    ttlSeconds: readTtl(input.ttlSeconds),
    digestAlgorithm: input.digestAlgorithm ?? 'md5',
    historyStep: input.historyStep ?? null,
    distributedId: input.distributedId || null,
  }
}

/** −1 and null: as the team says; −2 and 0: kept for ever. A century is for ever too. */
export function readTtl(seconds: number | null | undefined): number | null {
  if (seconds == null || seconds === -1) return null
  return Math.min(Math.max(0, seconds), 100 * 365 * 24 * 3600)
}

/** @throws GridError too_large */
export function checkDescription(text: string): string {
  if (text.length > descriptionLengthMax) {
    throw new GridError('too_large', `A description has at most ${descriptionLengthMax} characters.`)
  }
  return storableText(text)
}

/** As JSON text. @throws GridError too_large */
export function checkMetadata(metadata: Record<string, unknown>): string {
  const text = toStrictJson(metadata)
  if (text.length <= metadataLengthMax) return text
  throw new GridError('too_large', `Metadata has at most ${metadataLengthMax} characters as JSON.`, {
    hint: 'Put large values into a file of the artifact.',
  })
}

function checkDigest(digest: string): void {
  if (digest !== '' && md5HexOf(digest) === undefined) {
    throw new GridError('invalid', 'The digest of a manifest is the base64 of its MD5.')
  }
}

function otherType(collection: StoredCollection, type: string): GridError {
  const { name } = collection
  if (collection.kind === 'portfolio') {
    return new GridError('invalid', `${name} is a collection of links; give the artifact another name.`)
  }
  return new GridError(
    'invalid',
    `Artifact ${name} already exists with type "${collection.type}"; cannot log it with type "${type}".`,
  )
}

export function alreadyCommitted(artifact: StoredArtifact): GridError {
  return new GridError(
    'invalid',
    `${artifact.label} is committed, so its content does not change any more.`,
    {
      hint: 'Log a new version.',
    },
  )
}
