/** `grid datastore` itself, against the whole server in this process. */
import { createHash, randomBytes } from 'node:crypto'
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { httpSource, materialise } from '@teamgrid/agent'
import { runGrid } from '../../cli/src/program.ts'
import { memoryIo } from '../../cli/src/test-io.ts'
import { startApp, type TestApp, type TestPerson } from '../support/app.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let folder: string

beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
  folder = await mkdtemp(join(tmpdir(), 'teamgrid-datastore-'))
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
  await rm(folder, { recursive: true, force: true })
})

type Person = Pick<TestPerson, 'key' | 'username'>

/** @param meddle is told of every request, and may throw as a broken line does. */
async function grid(person: Person, argv: string[], meddle?: (method: string, path: string) => void) {
  const io = memoryIo({
    env: {
      GRID_URL: app.origin,
      GRID_API_KEY: person.key,
      GRID_CONFIG_DIR: join(folder, `config-${person.username}`),
      GRID_ENTITY: team.slug,
    },
    cwd: folder,
    fetch: async (given, init) => {
      const request = new Request(given, init)
      meddle?.(request.method, new URL(request.url).pathname)
      return app.inject(request)
    },
  })
  const code = await runGrid(io, argv)
  return { code, out: io.out(), err: io.err() }
}

async function json<Value>(person: Person, ...argv: string[]): Promise<Value> {
  const { code, out, err } = await grid(person, [...argv, '-o', 'json'])
  expect(code, err).toBe(0)
  return JSON.parse(out) as Value
}

async function makeTree(name: string, files: Record<string, string | Buffer>): Promise<string> {
  const root = join(folder, name)
  await mkdir(root, { recursive: true })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

/** Path → content, mode and targets of everything below. */
async function snapshot(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const place = join(entry.parentPath, entry.name)
    const path = relative(root, place)
    if (entry.isSymbolicLink()) found[path] = `-> ${await readlink(place)}`
    else if (entry.isDirectory()) found[path] = 'folder'
    else {
      const isExecutable = ((await lstat(place)).mode & 0o100) !== 0
      found[path] = `${isExecutable ? 'x' : ''}:${(await readFile(place)).toString('base64')}`
    }
  }
  return found
}

describe('refusals', () => {
  test('a folder that is not there, an address, a name that is none', async () => {
    expect(await grid(team.member, ['datastore', 'create', 'nowhere'])).toMatchObject({ code: 4 })
    for (const source of ['ftp://example.org/x', 'http://10.1.2.3/x.zip', 's3://bucket/x --no-copy'])
      expect(await grid(team.member, ['datastore', 'create', ...source.split(' ')])).toMatchObject({
        code: 2,
      })
    const root = await makeTree('named', { a: 'a' })
    const { code, err } = await grid(team.member, ['datastore', 'create', root, '--name', 'My Data'])
    expect(code).toBe(2)
    expect(err).toContain('lower-case')
  })

  test('a link out of the folder is named, and nothing is sent', async () => {
    const root = await makeTree('leaking', { a: 'a' })
    await symlink('/etc/passwd', join(root, 'passwords'))
    const { code, err } = await grid(team.member, ['datastore', 'create', root])
    expect(code).toBe(2)
    expect(err).toMatch(/"passwords" leads out of the folder/)
    expect(err).toContain('--follow-symlinks')
  })

  test('placeholders, unknown names and versions, other teams', async () => {
    const ls = (person: Person, ref: string) => grid(person, ['datastore', 'ls', ref])
    expect((await ls(team.member, 'bob:/datastores/[name]/[version]')).err).toContain('without brackets')
    expect(await ls(team.member, 'nothing')).toMatchObject({ code: 4 })
    await grid(team.member, ['datastore', 'create', await makeTree('hidden', { a: 'a' })])
    expect(await ls(team.outsider, `${team.member.username}:hidden`)).toMatchObject({ code: 4 })
    expect(
      await grid(team.mate, ['datastore', 'delete', `${team.member.username}:hidden:1`, '--yes']),
    ).toMatchObject({
      code: 1,
    })
  })
})

test('a folder goes up and comes down the same, and a second version sends only what changed', async () => {
  const root = await makeTree('Cats & dogs.v1', {
    'train/one.txt': 'one',
    'train/two.bin': randomBytes(3_000_000),
    'train/deep/er/three.txt': 'one',
    'run.sh': '#!/bin/sh\n',
    'ünï 😀/file name': randomBytes(1000),
  })
  await chmod(join(root, 'run.sh'), 0o755)
  await mkdir(join(root, 'empty'))
  await symlink('deep/er', join(root, 'train/latest'))
  const [first] = await json<{ name: string; version: number; sent_files: number; status: string }[]>(
    team.member,
    'datastore',
    'create',
    root,
    '--name',
    'cats',
  )
  expect(first).toMatchObject({ name: 'cats', version: 1, sent_files: 4, status: 'succeeded' })

  await writeFile(join(root, 'train/one.txt'), 'uno')
  const [second] = await json<{ version: number; sent_files: number; sent_bytes: number }[]>(
    team.member,
    'datastores',
    'create',
    root,
    '--name',
    'cats',
  )
  expect(second).toMatchObject({ version: 2, sent_files: 1, sent_bytes: 3 })
  const same = await grid(team.member, ['datastore', 'create', root, '--name', 'cats'])
  expect(same.err).toContain('Nothing changed: this is version 2')

  const into = join(folder, 'down')
  const reference = `${team.member.username}:cats:2`
  const down = await json<{ files: number }>(team.mate, 'datastore', 'download', reference, into)
  expect(down.files).toBe(5)
  expect(await snapshot(into)).toEqual(await snapshot(root))
  await writeFile(join(into, 'train/one.txt'), 'spoiled')
  await writeFile(join(into, 'mine.txt'), 'not theirs')
  const again = await json<{ files: number; unchanged: number }>(
    team.mate,
    'datastore',
    'download',
    reference,
    into,
  )
  expect(again).toMatchObject({ files: 1, unchanged: 4 })
  expect(await readFile(join(into, 'train/one.txt'), 'utf8')).toBe('uno')
  expect(await readFile(join(into, 'mine.txt'), 'utf8')).toBe('not theirs')

  const diff = await grid(team.mate, ['datastore', 'diff', reference, '1'])
  expect(diff.out).toContain('~ train/one.txt')
  expect(diff.out).toContain('0 added, 0 removed, 1 changed')
})

test('nothing is written through a link that lies in the target folder', async () => {
  const root = await makeTree('trap', { 'a/b.txt': 'b' })
  await grid(team.member, ['datastore', 'create', root])
  const into = join(folder, 'trapped')
  const outside = join(folder, 'outside')
  await mkdir(into)
  await mkdir(outside)
  await symlink(outside, join(into, 'a'))
  expect(await grid(team.member, ['datastore', 'download', 'trap', into])).toMatchObject({ code: 5 })
  expect(await readdir(outside)).toEqual([])
})

test('an upload that broke off is continued, also from another place, and only then becomes a version', async () => {
  const big = randomBytes(70 * 1024 * 1024)
  const root = await makeTree('broken', { 'big.bin': big, small: 'small' })
  let parts = 0
  const cut = await grid(team.member, ['datastore', 'create', root], (method, path) => {
    if (path.includes('/parts/') && (parts += 1) > 1) throw new TypeError('the line broke')
  })
  expect(cut.code).not.toBe(0)
  const listed = () => json<{ name: string }[]>(team.member, 'datastore', '--user', team.member.username)
  expect((await listed()).map((row) => row.name)).not.toContain('broken')
  const [waiting] = await json<{ name: string; arrived: number }[]>(
    team.member,
    'datastore',
    '--show-incomplete',
  )
  expect(waiting).toMatchObject({ name: 'broken' })
  expect(waiting!.arrived).toBeGreaterThan(32_000_000)

  const moved = await makeTree('moved', { 'big.bin': big, small: 'small' })
  let sent = 0
  const resumed = await grid(
    team.member,
    ['datastore', 'resume', 'broken', '--source', moved],
    (method, path) => {
      if (path.includes('/parts/')) sent += 1
    },
  )
  expect(resumed.code, resumed.err).toBe(0)
  expect(sent).toBe(2)
  expect((await listed()).map((row) => row.name)).toContain('broken')
  expect(await json(team.member, 'datastore', '--show-incomplete')).toEqual([])
}, 120_000)

test('the lists have Grid’s columns; the team’s also say whose and in which team', async () => {
  const root = await makeTree('columns', { a: 'a' })
  await grid(team.mate, ['datastore', 'create', root])
  const own = await grid(team.mate, ['datastore'])
  expect(own.out.split('\n')[0]!.split(/\s{2,}/)).toEqual([
    'Name',
    'Cluster ID',
    'Version',
    'Size',
    'Created At',
    'Status',
  ])
  const everybody = await grid(team.member, ['datastore', '--global'])
  expect(everybody.out.split('\n')[0]!.split(/\s{2,}/)).toEqual([
    'Name',
    'Cluster ID',
    'Version',
    'Size',
    'Created At',
    'Created By',
    'Team Name',
    'Status',
  ])
  expect(everybody.out).toMatch(new RegExp(`columns .*${team.mate.username} .*${team.slug} .*succeeded`))
  expect((await grid(team.member, ['datastore'])).out).not.toContain('columns')
  expect((await grid(team.outsider, ['datastore', '--global'])).out).not.toContain('columns')
})

test('what is deleted can be restored; without a terminal deleting needs --yes', async () => {
  const root = await makeTree('fleeting', { a: 'a' })
  await grid(team.member, ['datastore', 'create', root])
  expect(await grid(team.member, ['datastore', 'delete', 'fleeting'])).toMatchObject({ code: 2 })
  expect(await grid(team.member, ['datastore', 'delete', 'fleeting:1'])).toMatchObject({ code: 2 })
  const gone = await grid(team.member, [
    'datastore',
    'delete',
    '--name',
    'fleeting',
    '--version',
    '1',
    '--yes',
  ])
  expect(gone.code, gone.err).toBe(0)
  expect(await grid(team.member, ['datastore', 'ls', 'fleeting'])).toMatchObject({ code: 4 })
  expect(await grid(team.member, ['datastore', 'restore', 'fleeting:1'])).toMatchObject({ code: 0 })
  expect((await grid(team.member, ['datastore', 'ls', 'fleeting'])).out).toContain('a')
})

describe('a node', () => {
  const injected = (given: string | URL | Request, init?: RequestInit) => app.inject(new Request(given, init))

  async function aVersion(name: string, files: Record<string, string | Buffer>) {
    const root = await makeTree(name, files)
    const [made] = await json<{ datastore_id: string; digest: string }[]>(
      team.member,
      'datastore',
      'create',
      root,
    )
    const { datastore_id: id, digest } = made!
    const sourceOf = ({ key }: Pick<TestPerson, 'key'>) =>
      httpSource(
        {
          url: app.origin,
          path: `/datastores/${id}/versions/1`,
          headers: { authorization: `Bearer ${key}` },
        },
        injected,
      )
    return { root, id, digest, sourceOf, cache: join(folder, `cache-${name}`) }
  }

  test('makes the tree of a version over http, small files in one go', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, each) => [`d${each % 7}/${each}`, `${each}`]),
    )
    const { root, digest, sourceOf, cache } = await aVersion('node-tree', {
      ...files,
      empty: '',
      large: randomBytes(3 * 1024 * 1024),
    })
    const source = sourceOf(team.mate)
    const path = await materialise({ source, cache, digest, pin: 'run-1' })
    expect(await snapshot(path)).toEqual(await snapshot(root))
    const stranger = sourceOf(team.outsider)
    await expect(materialise({ source: stranger, cache: `${cache}-2`, digest, pin: 'x' })).rejects.toThrow(
      /not yours to see/,
    )
  })

  test('never mounts a content that rots: it is named, and the server hands it out no more', async () => {
    const { id, digest, sourceOf, cache, root } = await aVersion('node-rot', { 'deep/file': 'will rot' })
    const stored = await app.db
      .selectFrom('datastore_contents')
      .select(['sha256_hex', 'blob_key', 'start_byte'])
      .where('sha256_hex', '=', createHash('sha256').update('will rot').digest('hex'))
      .executeTakeFirstOrThrow()
    const place = app.blobs.localPath!(stored.blob_key)
    const bytes = await readFile(place)
    bytes.write('has rott', stored.start_byte)
    await writeFile(place, bytes)
    const wanted = { source: sourceOf(team.mate), cache, digest, pin: 'run-1' }
    await expect(materialise(wanted)).rejects.toThrow(/stored bytes of "deep\/file".*damaged/)
    const file = { datastoreId: id, version: 1, path: 'deep/file' }
    await expect(team.mate.datastores.file(file)).rejects.toThrow(/damaged/)
    expect(await grid(team.member, ['datastore', 'create', root, '--name', 'mended'])).toMatchObject({
      code: 0,
    })
    await materialise(wanted)
  })
})
