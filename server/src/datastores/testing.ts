/** Sends datastores step by step, as the command line does, for this slice's tests. */
import { createHash } from 'node:crypto'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { comparePaths, GridError, type ManifestEntry, printManifestLine } from '@teamgrid/api'
import type { TestApp, TestPerson } from '../../../tests/support/app.ts'

export const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')

/** Path → content; a path that ends in a slash is an empty folder. */
export type Tree = Record<string, string | Buffer | { link: string }>

export function packOf(contents: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    contents.flatMap((content) => {
      const size = Buffer.alloc(8)
      size.writeBigUInt64BE(BigInt(Buffer.byteLength(content)))
      return [Buffer.from(sha256(content), 'hex'), size, Buffer.from(content)]
    }),
  )
}

export function entriesOf(tree: Tree): ManifestEntry[] {
  return Object.entries(tree)
    .map(([path, content]): ManifestEntry => {
      if (path.endsWith('/')) return { kind: 'folder', path: path.slice(0, -1) }
      if (typeof content === 'object' && 'link' in content)
        return { kind: 'link', path, target: content.link }
      return {
        kind: 'file',
        path,
        sizeBytes: Buffer.byteLength(content),
        sha256Hex: sha256(content),
        executable: false,
      }
    })
    .toSorted((a, b) => comparePaths(a.path, b.path))
}

export const manifestOf = (entries: ManifestEntry[]) => gzipSync(entries.map(printManifestLine).join(''))

export function createSender(app: TestApp) {
  /** @throws GridError, as the typed client does. */
  async function put(person: Pick<TestPerson, 'key'>, path: string, body: Buffer | string): Promise<unknown> {
    const answer = await app.inject(
      new Request(`${app.origin}/datastores/uploads/${path}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${person.key}`, 'content-type': 'application/octet-stream' },
        body: new Uint8Array(Buffer.from(body)),
      }),
    )
    const value = (await answer.json()) as { error?: { code: never; message: string } }
    if (!answer.ok) throw new GridError(value.error!.code, value.error!.message)
    return value
  }

  async function send(
    person: TestPerson,
    team: string,
    name: string,
    tree: Tree,
    more: { owner?: string; visibility?: 'private' | 'team' | 'organisation' } = {},
  ) {
    const upload = await person.datastores.startUpload({ team, name, ...more })
    const contents = new Map(
      Object.values(tree)
        .filter(
          (content): content is string | Buffer => typeof content === 'string' || Buffer.isBuffer(content),
        )
        .map((content) => [sha256(content), content]),
    )
    for (const [path, content] of Object.entries(tree))
      if (path.endsWith('/')) contents.delete(sha256(content as string))
    const { missing } = await person.datastores.missing({
      uploadId: upload.id,
      sha256Hexes: [...contents.keys()],
    })
    if (missing.length > 0)
      await put(person, `${upload.id}/pack`, packOf(missing.map((digest) => contents.get(digest)!)))
    const done = await put(person, `${upload.id}/manifest`, manifestOf(entriesOf(tree)))
    return { ...(done as { datastoreId: string; version: number; isNew: boolean }), sent: missing.length }
  }

  return { put, send }
}

/** A zip made by hand, also of what no packer would make. @param members modes are those of Unix, with the type. */
export function zipOf(members: { name: string; body?: string; mode?: number }[]): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, body = '', mode = 0o100644 } of members) {
    const content = Buffer.from(body)
    const packed = deflateRawSync(content)
    // From "version needed" to "extra length", the same in both places.
    const shared = Buffer.alloc(26)
    shared.writeUInt16LE(20, 0)
    shared.writeUInt16LE(8, 4)
    shared.writeUInt32LE(crc32(content), 10)
    shared.writeUInt32LE(packed.length, 14)
    shared.writeUInt32LE(content.length, 18)
    shared.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, Buffer.from(name), packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE((mode << 16) >>> 0, 6)
    rest.writeUInt32LE(at, 10)
    const madeBy = Buffer.from([20, 3])
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), madeBy, shared, rest, Buffer.from(name)]))
    files.push(local)
    at += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(members.length, 4)
  end.writeUInt16LE(members.length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(at, 12)
  return Buffer.concat([...files, central, Buffer.from('PK\x05\x06'), end])
}
