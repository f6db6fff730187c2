/**
 * Manifests: which files an artifact version has. A manifest comes from a client, so nothing in it is believed before
 * it is checked here: its size, its paths (they become file names on other people's machines), its digests.
 * Source of the format: wandb, sdk/artifacts/artifact_manifests/artifact_manifest_v1.py, read 2026-08.
 */
import { createHash } from 'node:crypto'
import { GridError } from '@teamgrid/api'
import { storableText, toStrictJson } from '../lib/tolerant-json.ts'
import { contentName, type DigestAlgorithm, md5HexOf, printArtifactId, readArtifactId } from './artifact.ts'
import { xxh128Hex } from './xxh128.ts'

/** One file, or one reference to a file that is kept elsewhere. */
export type Entry = {
  /** Relative, forward slashes, never above the artifact's root. */
  path: string
  /** Base64 MD5 of the content; for a reference whatever its origin calls a digest. */
  digest: string
  sizeBytes: number
  /** The version in which this content was first stored; null when the manifest does not say or means none of ours. */
  birthArtifactId: string | null
  /** Where the file really is: `s3://…`, `https://…`, `wandb-artifact://<hex id>/<path>`. Null for stored content. */
  ref: string | null
  extra: Record<string, unknown> | null
}

/** The name of the stored content that an entry is; null for a reference. */
export function contentOf({ ref, digest, extra }: Pick<Entry, 'ref' | 'digest' | 'extra'>): string | null {
  return ref === null ? contentName(digest, extra?.alg === 'XXH128' ? 'xxh128' : 'md5')! : null
}

/** By path. */
export type Manifest = ReadonlyMap<string, Entry>

/** Some 250 000 files. A manifest is parsed whole, in memory, several times its size. */
export const manifestBytesMax = 64 * 1024 * 1024
export const entriesMax = 300_000
/** A path is part of an index row, which Postgres limits to 2704 bytes. */
const pathBytesMax = 2000
const refLengthMax = 8192
const extraLengthMax = 64 * 1024
const digestLengthMax = 2048
const extraNestingMax = 20

/**
 * Reads and checks a manifest.
 * @throws GridError invalid, with the path of the entry at fault; too_large.
 */
export function parseManifest(text: string): Manifest {
  if (text.length > manifestBytesMax) throw tooLarge()
  const whole = parseJson(text)
  if (!isObject(whole)) throw invalid('The manifest is not a JSON object.')
  if (whole.version !== 1) throw invalid('The manifest is not of version 1, the only one this server knows.')
  if (!isObject(whole.contents)) throw invalid('The manifest has no "contents".')
  const entries = new Map<string, Entry>()
  const all = Object.entries(whole.contents)
  if (all.length > entriesMax) throw tooLarge()
  for (const [path, entry] of all) entries.set(checkPath(path), readEntry(path, entry))
  return entries
}

/**
 * The path as it is, if it stays within the folder it is downloaded to, on Windows too.
 * @throws GridError invalid
 */
export function checkPath(path: string): string {
  const fault = faultOf(path)
  if (fault === undefined) return path
  throw invalid(`The file name ${JSON.stringify(path.slice(0, 200))} is refused: ${fault}.`)
}

function faultOf(path: string): string | undefined {
  if (path === '') return 'it is empty'
  if (Buffer.byteLength(path) > pathBytesMax) return `it is longer than ${pathBytesMax} bytes`
  if (path.includes('\0')) return 'it contains a NUL character'
  if (!path.isWellFormed()) return 'it is not valid Unicode'
  if (/^[/\\]/.test(path) || /^[A-Za-z]:[/\\]/.test(path)) return 'it is absolute'
  if (path.split(/[/\\]/).includes('..')) return 'it leads out of the artifact'
  if (path.endsWith('/') || path === '.') return 'it names a folder'
  return undefined
}

function readEntry(path: string, entry: unknown): Entry {
  const at = () => `The manifest's entry ${JSON.stringify(path)}`
  if (!isObject(entry)) throw invalid(`${at()} is not an object.`)
  const { digest, size, ref, extra, birthArtifactID } = entry
  if (typeof digest !== 'string' || digest.length > digestLengthMax) throw invalid(`${at()} has no digest.`)
  if (size != null && !(Number.isSafeInteger(size) && (size as number) >= 0)) {
    throw invalid(`${at()} has a size that is not a number of bytes.`)
  }
  if (ref != null && (typeof ref !== 'string' || ref === '' || ref.length > refLengthMax)) {
    throw invalid(`${at()} has a reference that is not an address.`)
  }
  if (ref == null && md5HexOf(digest) === undefined) {
    throw invalid(`${at()} has a digest that is not the base64 of 128 bits.`)
  }
  return {
    path,
    digest: storableText(digest),
    sizeBytes: (size as number | null | undefined) ?? 0,
    birthArtifactId: (typeof birthArtifactID === 'string' && readArtifactId(birthArtifactID)) || null,
    ref: ref == null ? null : storableText(ref as string),
    extra: readExtra(extra, at),
  }
}

function readExtra(extra: unknown, at: () => string): Record<string, unknown> | null {
  if (extra == null) return null
  if (!isObject(extra)) throw invalid(`${at()} has an "extra" that is not an object.`)
  if (isDeeper(extra, extraNestingMax)) throw invalid(`${at()} has an "extra" that nests too deeply.`)
  const text = toStrictJson(extra)
  if (text.length > extraLengthMax)
    throw invalid(`${at()} has an "extra" of more than ${extraLengthMax} characters.`)
  return text === '{}' ? null : (JSON.parse(text) as Record<string, unknown>)
}

/** The later manifests win, path by path. */
export function mergeManifests(manifests: Iterable<Manifest>): Manifest {
  const merged = new Map<string, Entry>()
  for (const manifest of manifests) for (const [path, entry] of manifest) merged.set(path, entry)
  return merged
}

/**
 * Hex digest over a header and `path:digest` of every entry in the order of their paths' bytes: the client's digest of
 * an artifact whose content is this.
 */
export async function digestOf(manifest: Manifest, algorithm: DigestAlgorithm = 'md5'): Promise<string> {
  const text = digestedText(manifest)
  return algorithm === 'xxh128' ? await xxh128Hex(text) : createHash('md5').update(text).digest('hex')
}

export function digestedText(manifest: Manifest): string {
  const lines = inOrder(manifest).map(({ path, digest }) => `${path}:${digest}\n`)
  return `wandb-artifact-manifest-v1\n${lines.join('')}`
}

/** Bytes of all files; what references point to counts as well. */
export function sizeOf(manifest: Manifest): number {
  let bytes = 0
  for (const entry of manifest.values()) bytes += entry.sizeBytes
  return bytes
}

/** The manifest as clients read it, without what leaked from the machine that wrote it (`local_path`). */
export function printManifest(manifest: Manifest): string {
  const contents = inOrder(manifest).map((entry) => [
    entry.path,
    {
      digest: entry.digest,
      // A reference of unknown size is not one of size 0.
      ...(entry.ref !== null && entry.sizeBytes === 0 ? {} : { size: entry.sizeBytes }),
      ...(entry.birthArtifactId === null ? {} : { birthArtifactID: printArtifactId(entry.birthArtifactId) }),
      ...(entry.ref === null ? {} : { ref: entry.ref }),
      ...(entry.extra === null ? {} : { extra: entry.extra }),
    },
  ])
  return JSON.stringify({
    version: 1,
    storagePolicy: 'wandb-storage-policy-v1',
    storagePolicyConfig: { storageLayout: 'V2' },
    contents: Object.fromEntries(contents),
  })
}

/** UTF-8 bytes and code points have the same order; JavaScript's own order of UTF-16 units differs beyond U+FFFF. */
function inOrder(manifest: Manifest): Entry[] {
  return [...manifest.values()]
    .map((entry) => ({ entry, bytes: Buffer.from(entry.path) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ entry }) => entry)
}

function parseJson(text: string): unknown {
  try {
    // Not recursive in V8, so nesting alone cannot exhaust the stack; nothing below descends without a limit.
    return JSON.parse(text)
  } catch (cause) {
    throw new GridError('invalid', 'The manifest is not JSON.', { cause })
  }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const invalid = (sentence: string) => new GridError('invalid', sentence)
const tooLarge = () =>
  new GridError(
    'too_large',
    `The manifest is too large: at most ${entriesMax} files and ${manifestBytesMax / 1024 / 1024} MiB.`,
    { hint: 'Split the artifact, or pack small files into archives.' },
  )
