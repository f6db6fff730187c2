import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { download, type Wanted } from './download.ts'
import { memoryIo } from './test-io.ts'

const content = randomBytes(300_000)
const md5Hex = createHash('md5').update(content).digest('hex')
const updatedAt = '2026-11-22T07:00:00.000Z'

type Answer = (request: IncomingMessage, response: ServerResponse) => void
let root: string
let base: string
let requests: IncomingMessage[]
let answers: Answer[]
let close: () => Promise<void>

/** Serves ranges as our server and object stores do. */
const whole: Answer = (request, response) => {
  const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
  if (from === undefined) return void response.end(content)
  response.writeHead(206, { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` })
  response.end(content.subarray(Number(from)))
}
/** Sends 100 000 bytes and breaks the connection. */
const broken: Answer = (_request, response) => {
  response.writeHead(200, { 'content-length': content.length })
  response.write(content.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50))
}
const refused: Answer = (_request, response) => void response.writeHead(403).end()

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'grid-download-'))
  requests = []
  answers = []
  const server = createServer((request, response) => {
    requests.push(request)
    ;(answers.shift() ?? whole)(request, response)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
})
afterEach(async () => {
  await close()
  await rm(root, { recursive: true, force: true })
})

const wanted = (over: Partial<Wanted> = {}): Wanted => ({
  url: '/blobs/token/model.pt',
  sizeBytes: content.length,
  md5Hex,
  updatedAt,
  place: join(root, 'run', 'exp', 'model.pt'),
  ...over,
})

async function fetchIt(over: Partial<Wanted> = {}, io = memoryIo()) {
  let received = 0
  const outcome = await download(io, wanted(over), {
    server: base,
    root,
    freshUrl: async () => '/blobs/fresh/model.pt',
    received: (bytes) => {
      received += bytes
    },
  })
  return { outcome, received }
}

test('a file arrives whole, with its time, and without our key', async () => {
  expect(await fetchIt()).toEqual({ outcome: 'downloaded', received: content.length })
  expect((await readFile(wanted().place)).equals(content)).toBe(true)
  expect((await stat(wanted().place)).mtime.toISOString()).toBe(updatedAt)
  expect(requests[0]!.headers.authorization).toBeUndefined()
})

test('what is there already is not fetched again', async () => {
  await fetchIt()
  expect((await fetchIt()).outcome).toBe('unchanged')
  expect(requests).toHaveLength(1)
})

test('a local change of the same size is noticed and put right', async () => {
  await fetchIt()
  const changed = Buffer.from(content)
  changed[5]! ^= 1
  await writeFile(wanted().place, changed)
  expect((await fetchIt()).outcome).toBe('downloaded')
  expect((await readFile(wanted().place)).equals(content)).toBe(true)
})

test('an empty file is a file', async () => {
  answers.push((_request, response) => void response.end())
  const empty = { sizeBytes: 0, md5Hex: createHash('md5').digest('hex') }
  expect((await fetchIt(empty)).outcome).toBe('downloaded')
  expect((await stat(wanted().place)).size).toBe(0)
})

describe('a transfer that broke off', () => {
  test('is continued where it stopped, with a fresh url', async () => {
    answers.push(broken)
    expect(await fetchIt()).toEqual({ outcome: 'downloaded', received: content.length })
    expect((await readFile(wanted().place)).equals(content)).toBe(true)
    expect(requests[1]!.url).toBe('/blobs/fresh/model.pt')
    expect(requests[1]!.headers.range).toMatch(/^bytes=[1-9]\d*-$/)
  })

  test('is continued by the next command too', async () => {
    answers.push(broken, refused, refused, refused)
    await expect(fetchIt()).rejects.toThrow('The server answered 403')
    await expect(stat(wanted().place)).rejects.toThrow('ENOENT')
    expect((await fetchIt()).outcome).toBe('downloaded')
    expect(requests.at(-1)!.headers.range).toMatch(/^bytes=[1-9]\d*-$/)
    expect((await readFile(wanted().place)).equals(content)).toBe(true)
    expect(await readdir(join(root, '.grid-partial'))).toEqual([])
  })

  test('starts over where the server knows no ranges', async () => {
    answers.push(broken, (_request, response) => void response.end(content))
    expect(await fetchIt()).toEqual({ outcome: 'downloaded', received: content.length })
    expect((await readFile(wanted().place)).equals(content)).toBe(true)
  })
})

test('wrong bytes never get the file’s name', async () => {
  const wrong: Answer = (_request, response) => void response.end(Buffer.alloc(content.length))
  answers.push(wrong, wrong, wrong, wrong)
  await expect(fetchIt()).rejects.toThrow('another checksum')
  await expect(stat(wanted().place)).rejects.toThrow('ENOENT')
})

test('a folder in the place of a file is left alone', async () => {
  await mkdir(wanted().place, { recursive: true })
  await expect(fetchIt()).rejects.toThrow('is a folder')
})

test('Ctrl-C ends the transfer and keeps what came', async () => {
  const interrupt = new AbortController()
  const stopped = new Error('Interrupted')
  stopped.name = 'AbortError'
  answers.push((_request, response) => {
    response.writeHead(200, { 'content-length': content.length })
    response.write(content.subarray(0, 100_000), () => setTimeout(() => interrupt.abort(stopped), 50))
  })
  await expect(fetchIt({}, memoryIo({ interrupted: interrupt.signal }))).rejects.toBe(stopped)
  expect(await readdir(join(root, '.grid-partial'))).toHaveLength(1)
  expect((await fetchIt()).outcome).toBe('downloaded')
  expect(requests.at(-1)!.headers.range).toMatch(/^bytes=/)
})
