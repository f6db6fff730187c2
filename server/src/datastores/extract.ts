/**
 * What is in an archive, taken out in a thread of its own: contents go into files with numbers for names, ready to be
 * stored, and paths only into the list of entries. So nothing in an archive decides where something is written.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { checkLink, checkTreePath, GridError, type ManifestEntry, packHeaderBytes } from '@teamgrid/api'
import { extract as tarExtract, type Header } from 'tar-stream'
import { type Entry, open as openZip, type ZipFile } from 'yauzl'

export type ArchiveFormat = 'zip' | 'tar' | 'tar.gz' | 'tar.zst'

export type ExtractLimits = {
  entriesMax: number
  bytesMax: number
  /** Unpacked to packed; counted from `ratioFromBytes` on, as small things may well be all zeros. */
  ratioMax: number
  ratioFromBytes: number
}

export type Extracted = {
  entries: ManifestEntry[]
  /** Files in the form of packs, each with its digests; and files that are one content each. */
  packs: { place: string; sha256Hexes: string[] }[]
  large: { place: string; sha256Hex: string }[]
}

const mebibyte = 1024 * 1024
const packedContentBytesMax = mebibyte
const packBytes = 16 * mebibyte
const linkBytesMax = 4096

/** Takes contents one after the other into files of `folder`. */
export function createSink(folder: string) {
  const packs: Extracted['packs'] = []
  const large: Extracted['large'] = []
  const known = new Set<string>()
  let pack: { file: FileHandle; place: string; sha256Hexes: string[]; bytes: number } | undefined
  let number = 0

  async function add(
    body: Readable,
    expectedBytes?: number,
  ): Promise<{ sha256Hex: string; sizeBytes: number }> {
    const hash = createHash('sha256')
    const first: Buffer[] = []
    let sizeBytes = 0
    let place: string | undefined
    let file: FileHandle | undefined
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        hash.update(chunk)
        sizeBytes += chunk.length
        if (file === undefined && sizeBytes <= packedContentBytesMax) {
          first.push(chunk)
          continue
        }
        if (file === undefined) {
          place = join(folder, `large-${(number += 1)}`)
          file = await open(place, 'wx')
          for (const each of first) await file.writeFile(each)
        }
        await file.writeFile(chunk)
      }
    } finally {
      await file?.close()
    }
    if (expectedBytes !== undefined && sizeBytes !== expectedBytes)
      throw new GridError(
        'invalid',
        `A file in the archive has ${sizeBytes} bytes where ${expectedBytes} were announced`,
      )
    const sha256Hex = hash.digest('hex')
    const isKnown = known.has(sha256Hex)
    known.add(sha256Hex)
    if (place !== undefined) {
      if (isKnown) await rm(place)
      else large.push({ place, sha256Hex })
    } else if (!isKnown) await intoPack(sha256Hex, Buffer.concat(first))
    return { sha256Hex, sizeBytes }
  }

  async function intoPack(sha256Hex: string, content: Buffer): Promise<void> {
    if (pack && pack.bytes + content.length > packBytes) await closePack()
    if (!pack) {
      const place = join(folder, `pack-${(number += 1)}`)
      pack = { file: await open(place, 'wx'), place, sha256Hexes: [], bytes: 0 }
    }
    const header = Buffer.alloc(packHeaderBytes)
    header.write(sha256Hex, 'hex')
    header.writeBigUInt64BE(BigInt(content.length), 32)
    await pack.file.writeFile(Buffer.concat([header, content]))
    pack.sha256Hexes.push(sha256Hex)
    pack.bytes += content.length + packHeaderBytes
  }

  async function closePack(): Promise<void> {
    if (!pack) return
    await pack.file.close()
    packs.push({ place: pack.place, sha256Hexes: pack.sha256Hexes })
    pack = undefined
  }

  return {
    add,
    async end() {
      await closePack()
      return { packs, large }
    },
  }
}

/**
 * @param folder empty; gets the contents.
 * @throws GridError invalid, naming what in the archive is refused; too_large.
 */
export async function extractArchive(
  archive: string,
  format: ArchiveFormat,
  folder: string,
  limits: ExtractLimits,
  onProgress: (done: { files: number; bytes: number }) => void = () => {},
): Promise<Extracted> {
  const sink = createSink(folder)
  const tree = new Map<string, ManifestEntry>()
  let count = 0
  let files = 0
  let bytes = 0
  let packedBytes = () => 0

  /** Counts what comes out while it comes out, so that a bomb never does. */
  const meter = () =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length
        if (bytes > limits.bytesMax)
          return done(new GridError('too_large', `The archive unpacks to more than ${limits.bytesMax} bytes`))
        if (bytes > limits.ratioFromBytes && bytes > limits.ratioMax * packedBytes())
          return done(
            new GridError(
              'invalid',
              `The archive unpacks to more than ${limits.ratioMax} times its size, as bombs do`,
            ),
          )
        done(null, chunk)
      },
    })

  function begin(name: string): string {
    count += 1
    if (count > limits.entriesMax)
      throw new GridError('too_large', `The archive has more than ${limits.entriesMax} entries`)
    return name
  }

  async function addFile(path: string, body: Readable, executable: boolean, expected?: number) {
    checkTreePath(path)
    const through = meter()
    const piped = pipeline(body, through)
    piped.catch(() => {})
    const { sha256Hex, sizeBytes } = await sink.add(through, expected)
    await piped
    tree.set(path, { kind: 'file', path, sizeBytes, sha256Hex, executable })
    files += 1
    onProgress({ files, bytes })
  }

  function addLink(path: string, target: string): void {
    checkTreePath(path)
    checkLink(path, target)
    tree.set(path, { kind: 'link', path, target })
  }

  function addFolder(path: string): void {
    if (path === '') return
    checkTreePath(path)
    tree.set(path, { kind: 'folder', path })
  }

  if (format === 'zip') {
    const zip = await zipOf(archive)
    const handle = await open(archive, 'r')
    const { size } = await handle.stat()
    await handle.close()
    packedBytes = () => size
    try {
      await eachEntry(zip, async (entry) => {
        const name = begin(entry.fileName)
        // Of files made on Unix, the upper half holds the mode.
        const mode = entry.versionMadeBy >>> 8 === 3 ? entry.externalFileAttributes >>> 16 : 0
        const type = mode & 0o170000
        if (entry.isEncrypted())
          throw new GridError('invalid', `${quoted(name)} in the archive is encrypted`, {
            hint: 'Pack it again without a password.',
          })
        if (name.endsWith('/')) return addFolder(name.slice(0, -1))
        if (type === 0o120000) {
          if (entry.uncompressedSize > linkBytesMax) throw notAFile(name)
          return addLink(name, await textOf(await bytesOfEntry(zip, entry)))
        }
        if (type !== 0 && type !== 0o100000) throw notAFile(name)
        await addFile(name, await bytesOfEntry(zip, entry), (mode & 0o100) !== 0, entry.uncompressedSize)
      })
    } finally {
      zip.close()
    }
  } else {
    const source = createReadStream(archive, { highWaterMark: mebibyte })
    packedBytes = () => source.bytesRead
    const tar = tarExtract()
    const unpack =
      format === 'tar.gz' ? [createGunzip()] : format === 'tar.zst' ? [createZstdDecompress()] : []
    const piped = pipeline([source, ...unpack, tar] as unknown as [Readable, Transform])
    piped.catch(() => {})
    try {
      for await (const entry of tar) {
        const { header } = entry as unknown as { header: Header }
        const path = tarPath(begin(header.name))
        await addTarEntry(header, path, entry as unknown as Readable)
      }
      await piped
    } catch (error) {
      source.destroy()
      // What was wrong with the packing says more than that the tar in it ended early.
      await piped.catch((cause: unknown) => {
        if (!(error instanceof GridError)) throw unreadable(cause)
      })
      throw error instanceof GridError ? error : unreadable(error)
    }
  }

  async function addTarEntry(header: Header, path: string, body: Readable): Promise<void> {
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
      case null:
      case undefined:
        return addFile(path, body, ((header.mode ?? 0) & 0o100) !== 0)
      case 'directory':
        body.resume()
        return addFolder(path)
      case 'symlink':
        body.resume()
        return addLink(path, header.linkname ?? '')
      case 'link': {
        body.resume()
        checkTreePath(path)
        const same = tree.get(tarPath(header.linkname ?? ''))
        if (same?.kind !== 'file')
          throw new GridError(
            'invalid',
            `${quoted(path)} in the archive is a link to ${quoted(header.linkname ?? '')}, which is no file in it`,
          )
        bytes += same.sizeBytes
        tree.set(path, { ...same, path })
        files += 1
        return
      }
      default:
        throw notAFile(path)
    }
  }

  const { packs, large } = await sink.end()
  return { entries: withoutImplied(tree), packs, large }
}

/** Only folders with nothing in them are entries. */
function withoutImplied(tree: ReadonlyMap<string, ManifestEntry>): ManifestEntry[] {
  const filled = new Set<string>()
  for (const path of tree.keys())
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (filled.has(path.slice(0, at))) break
      filled.add(path.slice(0, at))
    }
  return [...tree.values()].filter(({ kind, path }) => kind !== 'folder' || !filled.has(path))
}

const quoted = (name: string) => JSON.stringify(name.slice(0, 200))

const notAFile = (name: string) =>
  new GridError('invalid', `${quoted(name)} in the archive is neither a file, a folder nor a link`)

/** Many a tar says `./` before every name. @throws GridError for one that is absolute */
function tarPath(name: string): string {
  if (name.startsWith('/')) checkTreePath(name)
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}

const unreadable = (cause: unknown) =>
  cause instanceof GridError
    ? cause
    : new GridError('invalid', `The archive cannot be read: ${(cause as Error).message}`, { cause })

function zipOf(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) =>
    // Names with `..`, a drive or a leading slash are refused by it already.
    openZip(path, { lazyEntries: true, autoClose: false, strictFileNames: false }, (error, zip) =>
      error ? reject(unreadable(error)) : resolve(zip),
    ),
  )
}

function eachEntry(zip: ZipFile, act: (entry: Entry) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      act(entry).then(
        () => zip.readEntry(),
        (error: unknown) => reject(unreadable(error)),
      )
    })
    zip.once('end', resolve)
    zip.once('error', (error) => reject(unreadable(error)))
    zip.readEntry()
  })
}

function bytesOfEntry(zip: ZipFile, entry: Entry): Promise<Readable> {
  return new Promise((resolve, reject) =>
    zip.openReadStream(entry, (error, stream) => (error ? reject(unreadable(error)) : resolve(stream))),
  )
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
