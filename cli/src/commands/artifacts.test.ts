import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runGrid } from '../program.ts'
import { memoryIo } from '../test-io.ts'

/** A server that lists whatever paths it likes: the command must not trust it. */
let paths: string[]
let names: { name: string; group: string | null }
let folder: string
let url: string
let close: () => Promise<unknown>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grid-hostile-'))
  names = { name: 'fine-owl-1', group: null }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x')
    if (!pathname.startsWith('/api/')) return void response.end('evil')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(pathname.endsWith('/files') ? paths.map(fileOf) : [experiment()]))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = () => {
    server.closeAllConnections()
    return new Promise((closed) => server.close(closed))
  }
})
afterEach(async () => {
  await close()
  await rm(folder, { recursive: true, force: true })
})

const fileOf = (path: string) => ({
  path,
  sizeBytes: 4,
  mediaType: 'text/plain',
  updatedAt: '2026-11-22T07:00:00.000Z',
  md5Hex: '4034a346ccee15292d823416f7510a2f',
  url: '/blobs/x',
})

const experiment = () => ({
  id: '01890000-0000-7000-8000-000000000000',
  team: 'vision',
  project: 'digits',
  slug: 'a1b2c3d4',
  state: 'finished',
  createdBy: { username: 'bob', name: 'Bob' },
  createdAt: '2026-11-22T07:00:00.000Z',
  ...names,
})

async function artifacts(...flags: string[]) {
  const cwd = join(folder, 'here')
  const io = memoryIo({ home: folder, cwd, env: { GRID_URL: url, GRID_API_KEY: 'k' } })
  const code = await runGrid(io, ['artifacts', 'fine-owl-1', ...flags])
  const written = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = written
    .filter((entry) => entry.isFile() && !join(entry.parentPath, entry.name).includes('/.grid'))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  return { code, out: io.out(), err: io.err(), files: files.sort() }
}

test('paths that climb out are refused by name, the others arrive, and the command fails', async () => {
  paths = ['../../../../evil.txt', '/etc/evil.txt', 'a/../../evil.txt', 'good.txt']
  const { code, err, files } = await artifacts()
  expect(code).toBe(1)
  expect(files).toEqual(['here/grid_artifacts/fine-owl-1/fine-owl-1/good.txt'])
  for (const path of paths.slice(0, 3)) {
    expect(err).toContain(`✘ fine-owl-1/${path}: its path would leave the folder`)
  }
  expect(err).toContain('Error: 3 files could not be downloaded')
})

test('a run or an experiment whose name climbs out becomes a plain folder', async () => {
  paths = ['good.txt']
  names = { name: '../../evil', group: '../..' }
  const { code, files } = await artifacts()
  expect(code).toBe(0)
  expect(files).toHaveLength(1)
  expect(files[0]).toMatch(/^here\/grid_artifacts\/[^/]+\/[^/]+\/good\.txt$/)
  expect(await readFile(join(folder, files[0]!), 'utf8')).toBe('evil')
})

test('two paths of which one is the other’s folder: one arrives, the other is told', async () => {
  paths = ['a', 'a/b']
  const { code, err, files } = await artifacts()
  expect(code).toBe(1)
  expect(files).toHaveLength(1)
  expect(err).toMatch(/Cannot make the folder|is a folder/)
})

test('names cannot speak to the terminal', async () => {
  paths = ['\u001b[2J\u001b]0;evil\u0007x.txt']
  const { out } = await artifacts('--list')
  expect(out).not.toContain('\u001b')
  expect(out).toContain('x.txt')
})
