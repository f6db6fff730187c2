import { execFileSync } from 'node:child_process'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runGrid } from '../program.ts'
import { memoryIo } from '../test-io.ts'

/** A server that says whatever it likes about an experiment: the command must not trust it. */
let saved: {
  remote: string | null
  patch: string | null
  code: Record<string, string>
  packages: string | null
}
let folder: string
let url: string
let close: () => Promise<unknown>

const name = { id: '01890000-0000-7000-8000-000000000000', team: 'vision', project: 'digits', slug: 'a1' }
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args], {
    cwd: join(folder, 'repository'),
    encoding: 'utf8',
  })

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grid-reproduce-'))
  await mkdir(join(folder, 'repository'))
  git('init', '-q')
  await writeFile(join(folder, 'repository', 'train.py'), 'lr = 1\n')
  git('add', '.')
  git('commit', '-qm', 'first')
  saved = { remote: join(folder, 'repository'), patch: null, code: {}, packages: 'numpy==2.0\n' }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x')
    if (pathname.startsWith('/blobs/'))
      return void response.end(contentOf(decodeURIComponent(pathname.slice(7))))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(pathname.endsWith('/reproduction') ? reproduction() : [experiment()]))
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

const contentOf = (path: string) =>
  path === 'diff.patch' ? saved.patch : path === 'requirements.txt' ? saved.packages : saved.code[path]
const file = (path: string) => ({
  path,
  sizeBytes: Buffer.byteLength(contentOf(path) ?? ''),
  url: `${url}/blobs/${encodeURIComponent(path)}`,
})
const experiment = () => ({
  ...name,
  name: 'fine-owl',
  group: null,
  state: 'finished',
  createdBy: { username: 'bob', name: 'Bob' },
  createdAt: '2026-11-22T07:00:00.000Z',
})
const reproduction = () => ({
  experiment: { ...name, name: 'fine-owl', state: 'finished' },
  command: 'python train.py --lr 0.1',
  words: ['python', 'train.py', '--lr', '0.1'],
  python: '3.11.2',
  git:
    saved.remote === null
      ? null
      : {
          remote: saved.remote,
          commit: git('rev-parse', 'HEAD').trim(),
          patch: saved.patch === null ? null : file('diff.patch'),
        },
  requirements: saved.packages === null ? null : file('requirements.txt'),
  code: { artifact: null, files: Object.keys(saved.code).map(file) },
  used: [],
  missing: [],
})

async function reproduce(...flags: string[]) {
  const env = { GRID_URL: url, GRID_API_KEY: 'k', PATH: process.env['PATH'], HOME: folder }
  const io = memoryIo({ home: folder, cwd: folder, env })
  const code = await runGrid(io, ['reproduce', 'fine-owl', '--into', 'again', ...flags])
  return { code, out: io.out(), err: io.err() }
}
const read = (path: string) => readFile(join(folder, 'again', path), 'utf8')

test('the commit with what differed from it, the packages, the command; nothing is run', async () => {
  saved.patch =
    'diff --git a/train.py b/train.py\n--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-lr = 1\n+lr = 2\n'
  const { code, out, err } = await reproduce()
  expect({ code, err }).toMatchObject({ code: 0, err: expect.not.stringContaining('Warning') })
  expect(await read('train.py')).toBe('lr = 2\n')
  expect(await read('requirements.txt')).toBe('numpy==2.0\n')
  expect(out).toContain('cd again\npip install -r requirements.txt\npython train.py --lr 0.1\n')
})

test('without a repository that can be had, the saved source', async () => {
  saved = { ...saved, remote: join(folder, 'gone'), code: { 'train.py': 'saved = 1\n', 'lib/a.py': 'a\n' } }
  git('rev-parse', 'HEAD')
  const { code, err } = await reproduce()
  expect(code).toBe(0)
  expect(err).toContain('cannot be had here')
  expect([await read('train.py'), await read('lib/a.py')]).toEqual(['saved = 1\n', 'a\n'])
})

test('a folder with something in it is left as it is', async () => {
  await mkdir(join(folder, 'again'))
  await writeFile(join(folder, 'again', 'thesis.tex'), 'mine')
  const { code, err } = await reproduce()
  expect(code).not.toBe(0)
  expect(err).toContain('not empty')
  expect(await readdir(join(folder, 'again'))).toEqual(['thesis.tex'])
})

test('a patch, a source file or a link that would leave the folder writes nothing there', async () => {
  await symlink(folder, join(folder, 'repository', 'out'))
  await symlink(join(folder, 'victim'), join(folder, 'repository', 'requirements.txt'))
  git('add', '.')
  git('commit', '-qm', 'links')
  saved.patch =
    'diff --git a/../evil b/../evil\nnew file mode 100644\n--- /dev/null\n+++ b/../evil\n@@ -0,0 +1 @@\n+x\n'
  const first = await reproduce()
  expect(first.err).toMatch(/not applied.*leaves the folder/)
  expect(first.err).toContain('requirements.txt is not written')
  await rm(join(folder, 'again'), { recursive: true })
  saved = {
    ...saved,
    remote: null,
    code: { '../evil': 'x', '/tmp/evil': 'x', '.git/hooks/x': 'x', 'ok.py': 'x' },
  }
  const second = await reproduce()
  expect(second.err.match(/is not written/g)).toHaveLength(3)
  expect(await read('ok.py')).toBe('x')
  for (const path of ['evil', 'victim', 'again/.git'])
    await expect(lstat(join(folder, path)), path).rejects.toThrow()
})

test('a remote that would run something is not asked', async () => {
  saved.remote = `ext::sh -c touch% ${join(folder, 'evil')}`
  const { err } = await reproduce()
  expect(err).toContain('is not fetched')
  await expect(lstat(join(folder, 'evil'))).rejects.toThrow()
})
