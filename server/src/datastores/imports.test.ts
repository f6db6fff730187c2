/** Sources that the server fetches: archives, files and folders of buckets. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { DatastoreImport } from '@teamgrid/api'
import { pack as tarPack } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import { zipOf } from './testing.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let server: Server
let origin: string
type Serve = (request: IncomingMessage, answer: ServerResponse) => void
const pages = new Map<string, Serve>()

beforeAll(async () => {
  server = createServer((request, answer) => {
    const serve = pages.get(request.url!.split('?')[0]!)
    if (serve) serve(request, answer)
    else answer.writeHead(404).end('no such page')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  app = await startApp({ privateSources: ['127.0.0.1'] })
  team = await app.aTeam()
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  server.close()
})

let names = 0
const aName = () => `fetched-${(names += 1)}`

/** What comes of an import, once it ended: the browser's news of it is awaited, no time passes. */
async function ended(importId: string): Promise<DatastoreImport> {
  for (;;) {
    const told = new Promise<void>((resolve) => {
      const stop = app.events.subscribe((event) => {
        if (event.type !== 'datastore.changed') return
        stop()
        resolve()
      })
    })
    const now = await team.member.datastores.import({ importId })
    if (now.state === 'done' || now.state === 'failed') return now
    await told
  }
}

async function fetched(path: string, more: object = {}): Promise<DatastoreImport> {
  const { id } = await team.member.datastores.startImport({
    team: team.slug,
    name: aName(),
    source: origin + path,
    ...more,
  })
  return ended(id)
}

function page(path: string, body: Buffer | string, headers: Record<string, string> = {}): string {
  pages.set(path, (_, answer) => answer.writeHead(200, headers).end(body))
  return path
}

type Member = { name: string; type?: string; linkname?: string; mode?: number; body?: string }
async function tarOf(members: Member[]): Promise<Buffer> {
  const tar = tarPack()
  for (const { body = '', ...header } of members) tar.entry(header as { name: string }, body)
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Path → what it is, of everything in the version that came of it. */
async function listed(
  { datastoreId, version }: DatastoreImport,
  folder = '',
): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const { items } = await team.member.datastores.files({
    datastoreId: datastoreId!,
    version: version!,
    folder,
  })
  for (const { name, kind, sizeBytes, executable, linkTarget } of items) {
    const path = folder === '' ? name : `${folder}/${name}`
    if (kind === 'file') found[path] = `${sizeBytes}${executable ? ' x' : ''}`
    else if (kind === 'link') found[path] = `-> ${linkTarget}`
    else
      Object.assign(
        found,
        { [path]: 'folder' },
        await listed({ datastoreId, version } as DatastoreImport, path),
      )
  }
  return found
}

const members: Member[] = [
  { name: './', type: 'directory' },
  { name: './data/a.txt', body: 'hello' },
  { name: './data/run.sh', mode: 0o755, body: '#!' },
  { name: './data/empty', type: 'directory' },
  { name: './data/same', type: 'link', linkname: './data/a.txt' },
  { name: './link', type: 'symlink', linkname: 'data/a.txt' },
  { name: './large.bin', body: 'x'.repeat(1_500_000) },
]
const tree = {
  data: 'folder',
  'data/a.txt': '5',
  'data/run.sh': '2 x',
  'data/empty': 'folder',
  'data/same': '5',
  link: '-> data/a.txt',
  'large.bin': '1500000',
}

describe('an archive', () => {
  test.each([
    ['tar', (tar: Buffer) => tar],
    ['tar.gz', gzipSync],
    ['tgz', gzipSync],
    ['tar.zst', zstdCompressSync],
  ] as const)('of the kind .%s is unpacked by the server', async (suffix, packed) => {
    const done = await fetched(page(`/a.${suffix}`, packed(await tarOf(members))))
    expect(done).toMatchObject({ state: 'done', version: 1, error: null })
    expect(await listed(done)).toEqual(tree)
  })

  test('of the kind .zip is unpacked by the server, with modes and links', async () => {
    const zip = zipOf([
      { name: 'data/a.txt', body: 'hello' },
      { name: 'data/run.sh', body: '#!', mode: 0o100755 },
      { name: 'data/empty/' },
      { name: 'data/same', body: 'hello' },
      { name: 'link', body: 'data/a.txt', mode: 0o120777 },
      { name: 'large.bin', body: 'x'.repeat(1_500_000) },
    ])
    const done = await fetched(page('/a.zip', zip), {})
    expect(done).toMatchObject({ state: 'done', version: 1 })
    expect(await listed(done)).toEqual(tree)
  })

  test.each<[string, Member | { name: string; body?: string; mode?: number }, RegExp]>([
    ['a path that climbs out', { name: '../evil', body: 'x' }, /"?\.\.\/evil"?/],
    ['an absolute path', { name: '/etc/evil', body: 'x' }, /\/etc\/evil/],
    [
      'a link out of the tree',
      { name: 'l', type: 'symlink', linkname: '../../etc' },
      /leads out of the folder/,
    ],
    ['an absolute link', { name: 'l', type: 'symlink', linkname: '/etc/passwd' }, /leads out of the folder/],
    [
      'a hard link to what is not in it',
      { name: 'l', type: 'link', linkname: 'etc/passwd' },
      /no file in it/,
    ],
    ['a device', { name: 'sda', type: 'block-device' }, /"sda".*neither a file/],
    ['a pipe', { name: 'p', type: 'fifo' }, /"p".*neither a file/],
  ])('with %s is refused by name', async (_, member, says) => {
    const done = await fetched(page('/bad.tar', await tarOf([{ name: 'good', body: 'g' }, member])))
    expect(done).toMatchObject({ state: 'failed', datastoreId: null })
    expect(done.error).toMatch(says)
  })

  test.each([
    ['a path that climbs out', { name: '../evil', body: 'x' }, /\.\.\/evil/],
    ['a link out of the tree', { name: 'l', body: '/etc/passwd', mode: 0o120777 }, /leads out/],
    ['a device', { name: 'sda', mode: 0o060644 }, /"sda".*neither a file/],
  ])('.zip with %s is refused by name', async (_, member, says) => {
    const done = await fetched(page('/bad.zip', zipOf([{ name: 'good', body: 'g' }, member])))
    expect(done.error).toMatch(says)
  })

  test.each([
    ['cut off', async () => gzipSync(await tarOf(members)).subarray(0, 900)],
    ['no archive at all', () => Promise.resolve(Buffer.from('<html>Sign in first</html>'))],
  ])('that is %s says so', async (_, body) => {
    const done = await fetched(page('/broken.tar.gz', await body()))
    expect(done).toMatchObject({ state: 'failed' })
    expect(done.error).toMatch(/cannot be read/)
  })

  test('packed in a way nobody unpacks here is refused before anything is fetched', async () => {
    await expect(fetched('/a.tar.bz2')).rejects.toThrow(/not unpack/)
  })
})

describe('an address', () => {
  test('of a file is that file', async () => {
    const done = await fetched(page('/table.csv', 'a,b\n1,2\n'), {})
    expect(await listed(done)).toEqual({ 'table.csv': '8' })
  })

  test('keeps what may be secret in it to itself', async () => {
    page('/signed.csv', 'x')
    const { id, source } = await team.member.datastores.startImport({
      team: team.slug,
      name: aName(),
      source: `${origin}/signed.csv?token=secret`,
    })
    expect(source).toBe(`${origin}/signed.csv`)
    const row = await app.db
      .selectFrom('datastore_imports')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    expect(JSON.stringify(row)).not.toContain('secret')
    expect(await ended(id)).toMatchObject({ state: 'done' })
    await expect(team.mate.datastores.import({ importId: id })).rejects.toThrow(/not yours/)
  })

  test('that is private is not asked, nor one that a public one leads to', async () => {
    const at = (source: string) =>
      team.member.datastores.startImport({ team: team.slug, name: aName(), source })
    await expect(at('http://10.1.2.3/x.zip')).rejects.toThrow(/private address/)
    await expect(at('http://169.254.169.254/latest')).rejects.toThrow(/private address/)
    await expect(at('ftp://example.org/x')).rejects.toThrow(/no source/)
    pages.set('/away.zip', (_, answer) => answer.writeHead(302, { location: 'http://10.0.0.1/x' }).end())
    expect((await fetched('/away.zip')).error).toMatch(/10\.0\.0\.1 is a private address/)
  })

  test('that answers with an error explains itself, and is tried again on demand', async () => {
    const failed = await fetched('/later.csv')
    expect(failed).toMatchObject({ state: 'failed' })
    expect(failed.error).toMatch(/answered 404/)
    const [waiting] = (await team.member.datastores.uploads({})).filter(({ id }) => id === failed.id)
    expect(waiting!.importing).toBe('failed')
    page('/later.csv', 'there now')
    await team.member.datastores.retryImport({ importId: failed.id })
    expect(await ended(failed.id)).toMatchObject({ state: 'done', version: 1 })
  })

  test('whose line breaks is gone on with where it broke', async () => {
    const bytes = Buffer.alloc(2_000_000, 'teamgrid')
    const ranges: (string | undefined)[] = []
    pages.set('/cut.bin', (request, answer) => {
      ranges.push(request.headers.range)
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      answer.writeHead(from > 0 ? 206 : 200, { etag: '"1"', 'content-length': bytes.length - from })
      if (from > 0) return answer.end(bytes.subarray(from))
      answer.write(bytes.subarray(0, 1_500_000), () => request.socket.end())
    })
    const done = await fetched('/cut.bin')
    expect(done).toMatchObject({ state: 'done' })
    expect(await listed(done)).toEqual({ 'cut.bin': '2000000' })
    expect(ranges).toHaveLength(2)
    expect(ranges[1]).toMatch(/^bytes=\d+-$/)
  })

  test('what is given up is forgotten', async () => {
    pages.set('/slow.bin', (_, answer) => answer.writeHead(200, { 'content-length': 1000 }).write('begin'))
    const name = aName()
    const { id } = await team.member.datastores.startImport({
      team: team.slug,
      name,
      source: `${origin}/slow.bin`,
    })
    await team.member.datastores.discardUpload({ uploadId: id })
    await expect(team.member.datastores.import({ importId: id })).rejects.toThrow(/not yours/)
  })
})
