/** A version of a datastore for tests, served from memory. As a program: materialises one, to be killed or raced. */
import { createHash } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import {
  comparePaths,
  GridError,
  type ManifestEntry,
  packHeaderBytes,
  printManifestLine,
} from '@teamgrid/api'
import type { DatastoreSource } from './source.ts'

export const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')

/** Path → content; `x:` before it makes it executable, a path that ends in a slash is an empty folder. */
export type Tree = Record<string, string | { link: string }>

export function versionOf(tree: Tree) {
  const contents = new Map<string, string>()
  const entries = Object.entries(tree).map(([path, content]): ManifestEntry => {
    if (path.endsWith('/')) return { kind: 'folder', path: path.slice(0, -1) }
    if (typeof content === 'object') return { kind: 'link', path, target: content.link }
    contents.set(sha256(content), content)
    return {
      kind: 'file',
      path,
      sizeBytes: Buffer.byteLength(content),
      sha256Hex: sha256(content),
      executable: content.startsWith('x:'),
    }
  })
  const lines = entries.toSorted((a, b) => comparePaths(a.path, b.path)).map(printManifestLine)
  const manifest = lines.join('')
  return { digest: sha256(manifest), manifest, contents }
}

export type Served = ReturnType<typeof versionOf> & {
  source: DatastoreSource
  asked: string[][]
  /** Digests of contents whose stored bytes have rotten. */
  rotten: Set<string>
  /** Called after so many contents of a pack were sent. */
  onSent?: (contents: number) => Promise<void> | void
}

export function serve(tree: Tree): Served {
  const served: Served = {
    ...versionOf(tree),
    asked: [],
    rotten: new Set(),
    source: {
      manifest: () => Promise.resolve(Readable.from([gzipSync(served.manifest)])),
      pack(sha256Hexes) {
        if (sha256Hexes.some((digest) => !served.contents.has(digest))) throw new GridError('not_found')
        served.asked.push(sha256Hexes)
        return Promise.resolve(Readable.from(packed(sha256Hexes), { objectMode: false }))
      },
      check: (digest) => Promise.resolve(!served.rotten.has(digest)),
    },
  }
  async function* packed(sha256Hexes: string[]) {
    for (const [index, digest] of sha256Hexes.entries()) {
      const content = Buffer.from(served.contents.get(digest)!)
      const header = Buffer.alloc(packHeaderBytes)
      header.write(digest, 'hex')
      header.writeBigUInt64BE(BigInt(content.length), 32)
      if (served.rotten.has(digest)) content.writeUInt8(content[0]! ^ 1, 0)
      yield Buffer.concat([header, content])
      await served.onSent?.(index + 1)
    }
  }
  return served
}

/** `node testing.ts <cache> <tree as JSON> <log> <stop after so many contents>` */
if (process.argv[1] === import.meta.filename) {
  const { materialise } = await import('./materialise.ts')
  const [cache, tree, log, stopAfter] = process.argv.slice(2) as [string, string, string, string]
  const served = serve(JSON.parse(tree) as Tree)
  const isStopping = Number(stopAfter) > 0
  served.onSent = async (contents) => {
    if (contents === 1) appendFileSync(log, `${process.pid}\n`)
    if (!isStopping || contents < Number(stopAfter)) return
    process.stdout.write('half way\n')
    await new Promise(() => setInterval(() => {}, 1000))
  }
  const pin = `pin-${process.pid}`
  process.stdout.write(`${await materialise({ source: served.source, cache, digest: served.digest, pin })}\n`)
}
