/** The slice over real stores, and a client that saves artifacts step by step as wandb's does, for this slice's tests. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Actor } from '../actor.ts'
import { openBench } from '../experiments/testing.ts'
import { randomText } from '../lib/ids.ts'
import type { BlobStore } from '../stores/blob/blob-store.ts'
import { printArtifactId } from './artifact.ts'
import { digestedText, parseManifest } from './manifest.ts'
import { createArtifacts, type ManifestType } from './service.ts'

export type ArtifactBench = Awaited<ReturnType<typeof openArtifactBench>>

/** What shall be in an artifact: text of files, or references. */
export type Contents = Record<string, string | { ref: string; digest?: string; size?: number }>

export type SaveOptions = {
  collection?: string
  type?: string
  experiment?: string | null
  project?: string
  aliases?: string[]
  tags?: string[]
  clientId?: string | null
  collectionClientId?: string
  distributedId?: string
  manifestType?: ManifestType
  baseArtifactId?: string | null
  metadata?: Record<string, unknown>
  deduplicate?: boolean
}

export const md5 = (content: string | Buffer) => createHash('md5').update(content).digest()
export const md5Base64 = (content: string | Buffer) => md5(content).toString('base64')
export const md5Hex = (content: string | Buffer) => md5(content).toString('hex')

/** Call once per test file, and `close` at its end. */
export async function openArtifactBench() {
  return over(await openBench())
}

/** The same with its bytes in another store. */
export function onStore(bench: ArtifactBench, blobs: BlobStore): ArtifactBench {
  return over({ ...bench, blobs })
}

function over(bench: Awaited<ReturnType<typeof openBench>>) {
  const artifacts = createArtifacts(bench)

  /** PUTs to a url that was handed out, as the blobs edge does it. */
  async function put(url: string, body: string | Buffer | Readable, sizeBytes?: number): Promise<void> {
    const claim = bench.signed.open(new URL(url).pathname.split('/')[2]!)
    const stream = body instanceof Readable ? body : Readable.from([Buffer.from(body)])
    const length = sizeBytes ?? (body instanceof Readable ? undefined : Buffer.byteLength(body))
    if (claim.do === 'put-artifact') return artifacts.storeBlob(claim.artifactId, claim.md5Hex, stream)
    if (claim.do === 'put-part') return void (await artifacts.storePart(claim, stream, length))
    if (claim.do === 'put-manifest') return artifacts.storeManifest(claim.manifestId, stream)
    throw new Error(`Nothing is put to a link for ${claim.do}`)
  }

  /** GETs a url that was handed out. */
  async function get(url: string): Promise<string> {
    const claim = bench.signed.open(new URL(url).pathname.split('/')[2]!)
    if (claim.do !== 'get') throw new Error(`Nothing is read from a link to ${claim.do}`)
    return text(await bench.blobs.get(claim.blobKey))
  }

  /** One artifact on its way, with every step of the protocol to be called alone. */
  function saving(actor: Actor, team: { slug: string }, contents: Contents, options: SaveOptions = {}) {
    const manifest = manifestOf(contents)
    const digest = md5Hex(digestedText(parseManifest(manifest)))
    const clientId = options.clientId === undefined ? randomText(64) : options.clientId
    const files = Object.entries(contents).flatMap(([path, content]) =>
      typeof content === 'string' ? [{ path, content }] : [],
    )
    const type = options.manifestType ?? 'FULL'
    let artifactId = ''

    const create = async () => {
      const artifact = await artifacts.createArtifact(actor, {
        team: team.slug,
        project: options.project ?? 'digits',
        experiment: options.experiment ?? null,
        collection: options.collection ?? 'ds',
        type: options.type ?? 'dataset',
        digest,
        aliases: options.aliases ?? ['latest'],
        tags: options.tags ?? [],
        metadata: options.metadata ?? null,
        clientId,
        collectionClientId: options.collectionClientId ?? null,
        distributedId: options.distributedId ?? null,
        deduplicate: options.deduplicate ?? true,
      })
      artifactId = artifact.id
      return artifact
    }
    const manifestPlace = (manifestDigest: string) =>
      artifacts.createManifest(actor, {
        artifactId,
        baseArtifactId: options.baseArtifactId ?? null,
        name: 'wandb_manifest.json',
        type,
        digest: manifestDigest,
      })
    const createFiles = () =>
      artifacts.createFiles(
        actor,
        files.map(({ path, content }) => ({ artifactId, name: path, digest: md5Base64(content) })),
      )
    const sendFiles = async () => {
      for (const [index, { uploadUrl }] of (await createFiles()).entries()) {
        if (uploadUrl !== null) await put(uploadUrl, files[index]!.content)
      }
    }
    const sendManifest = async (text: string = manifest) => {
      const { uploadUrl } = await manifestPlace(md5Base64(text))
      await put(uploadUrl!, text)
    }
    const commit = () => artifacts.commitArtifact(actor, artifactId)
    return {
      digest,
      clientId,
      manifest,
      files,
      id: () => artifactId,
      create,
      holdPlace: () => manifestPlace(''),
      manifestPlace,
      createFiles,
      sendFiles,
      sendManifest,
      commit,
    }
  }

  /** The whole protocol, as a client that meets no trouble. */
  async function save(actor: Actor, team: { slug: string }, contents: Contents, options: SaveOptions = {}) {
    const client = saving(actor, team, contents, options)
    const artifact = await client.create()
    if (artifact.state === 'committed') return artifact
    await client.holdPlace()
    await client.sendFiles()
    await client.sendManifest()
    return client.commit()
  }

  /** What is in a committed version, as somebody sees it who downloads it. */
  async function contentsOf(actor: Actor, id: string): Promise<Record<string, string>> {
    const artifact = (await artifacts.findById(actor, id))!
    const files = await artifacts.listFiles(actor, artifact, { limit: 1000 })
    const read = files.map(async ({ path, ref, url }) => [path, ref ?? (await get(url))] as const)
    return Object.fromEntries(await Promise.all(read))
  }

  /** Keys of everything stored for a project. */
  async function storedKeys(projectId: string): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of bench.blobs.list(`artifacts/${projectId}/`)) keys.push(key)
    return keys
  }

  return { ...bench, artifacts, storedKeys, put, get, saving, save, contentsOf }
}

export function manifestOf(
  contents: Contents,
  birthOf: (path: string) => string | undefined = () => undefined,
): string {
  const entries = Object.entries(contents).map(([path, content]) => {
    if (typeof content !== 'string') {
      return [path, { digest: content.digest ?? content.ref, ref: content.ref, size: content.size }]
    }
    const birth = birthOf(path)
    const born = birth === undefined ? {} : { birthArtifactID: printArtifactId(birth) }
    // The client's own paths leak into what it sends.
    return [
      path,
      {
        digest: md5Base64(content),
        size: Buffer.byteLength(content),
        local_path: `/home/me/${path}`,
        ...born,
      },
    ]
  })
  return JSON.stringify({
    version: 1,
    storagePolicy: 'wandb-storage-policy-v1',
    storagePolicyConfig: { storageLayout: 'V2' },
    contents: Object.fromEntries(entries),
  })
}
