/**
 * Code as one archive that depends on nothing but its content: sorted, without times or owners, so that the same code is
 * the same bytes. POSIX.1-2001 tar (pax), for names of any length and script.
 */
import { createHash } from 'node:crypto'
import { lstat, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createGzip } from 'node:zlib'
import { GridError } from '@teamgrid/api'

const mebibyte = 1024 * 1024
export const warnBytes = 50 * mebibyte
export const refuseBytes = 500 * mebibyte
const block = 512

export type Tarball = { bytes: Buffer; sha256: string; files: number; sizeBytes: number }

/** @throws GridError too_large, naming the largest files. */
export async function tarball(root: string, paths: readonly string[]): Promise<Tarball> {
  const found = await Promise.all(
    paths.map(async (path) => ({ path, stat: await lstat(join(root, path)).catch(() => undefined) })),
  )
  const entries = found.flatMap(({ path, stat }) => (stat ? [{ path, stat }] : []))
  const sizeBytes = entries.reduce((sum, { stat }) => sum + (stat.isFile() ? stat.size : 0), 0)
  if (sizeBytes > refuseBytes) {
    const largest = entries.toSorted((a, b) => b.stat.size - a.stat.size).slice(0, 5)
    throw new GridError(
      'too_large',
      `The code is ${Math.round(sizeBytes / mebibyte)} MiB; at most ${refuseBytes / mebibyte} MiB are taken`,
      {
        hint: `Leave data out with a .gridignore file, and bring it as a datastore. The largest files:\n${largest
          .map(({ path, stat }) => `  ${path} (${Math.round(stat.size / mebibyte)} MiB)`)
          .join('\n')}`,
      },
    )
  }
  // A fixed level and no name or time in its header: gzip itself is deterministic then.
  const gzip = createGzip({ level: 6 })
  const chunks: Buffer[] = []
  const done = new Promise<void>((resolve, reject) => {
    gzip.on('data', (chunk: Buffer) => chunks.push(chunk))
    gzip.on('end', resolve)
    gzip.on('error', reject)
  })
  for (const { path, stat } of entries) {
    if (stat.isSymbolicLink()) gzip.write(headers(path, { link: await readlink(join(root, path)) }))
    else if (stat.isFile()) {
      const content = await readFile(join(root, path))
      gzip.write(headers(path, { size: content.length, isExecutable: (stat.mode & 0o100) !== 0 }))
      gzip.write(content)
      gzip.write(Buffer.alloc((block - (content.length % block)) % block))
    }
  }
  gzip.end(Buffer.alloc(2 * block))
  await done
  const bytes = Buffer.concat(chunks)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { bytes, sha256, files: entries.length, sizeBytes }
}

type Kind = { size: number; isExecutable: boolean } | { link: string }

function headers(path: string, kind: Kind): Buffer {
  const link = 'link' in kind ? kind.link : ''
  const isPlain = (text: string) => text.length <= 100 && /^[\x20-\x7e]*$/.test(text)
  const records = [
    ...(isPlain(path) ? [] : [record('path', path)]),
    ...(isPlain(link) ? [] : [record('linkpath', link)]),
  ]
  const pax = Buffer.concat(records)
  const padded = Buffer.concat([pax, Buffer.alloc((block - (pax.length % block)) % block)])
  const before = pax.length === 0 ? [] : [header('pax', 'x', pax.length, 0o644, ''), padded]
  const main =
    'link' in kind
      ? header(path, '2', 0, 0o777, link)
      : header(path, '0', kind.size, kind.isExecutable ? 0o755 : 0o644, '')
  return Buffer.concat([...before, main])
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`
  const size = Buffer.byteLength(rest)
  let length = size + String(size).length
  if (size + String(length).length !== length) length = size + String(length).length
  return Buffer.from(`${length}${rest}`)
}

function header(path: string, type: string, size: number, mode: number, link: string): Buffer {
  const bytes = Buffer.alloc(block)
  const put = (text: string, at: number, length: number) => bytes.write(text.slice(0, length), at, 'latin1')
  const ascii = (text: string) => text.replace(/[^\x20-\x7e]/g, '_')
  put(ascii(path), 0, 100)
  put(`${mode.toString(8).padStart(7, '0')}\0`, 100, 8)
  put('0000000\0', 108, 8)
  put('0000000\0', 116, 8)
  put(`${size.toString(8).padStart(11, '0')}\0`, 124, 12)
  put('00000000000\0', 136, 12)
  put('        ', 148, 8)
  put(type, 156, 1)
  put(ascii(link), 157, 100)
  put('ustar\u000000', 257, 8)
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8)
  return bytes
}
