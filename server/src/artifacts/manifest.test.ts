import { describe, expect, test } from 'vitest'
import {
  checkAlias,
  checkCollectionName,
  checkTag,
  checkType,
  md5HexOf,
  printArtifactId,
  readArtifactId,
  readVersionName,
} from './artifact.ts'
import {
  checkPath,
  digestOf,
  entriesMax,
  mergeManifests,
  parseManifest,
  printManifest,
  sizeOf,
} from './manifest.ts'

const invalid = expect.objectContaining({ code: 'invalid' })
const digest = 'CY9rzUYh03PK3k6DJie09g=='
const of = (contents: object) => JSON.stringify({ version: 1, contents })

describe('a manifest is refused', () => {
  test.each([
    ['no JSON', '{"version": 1, "contents": {'],
    ['no object', '[]'],
    ['a number', '1'],
    ['null', 'null'],
    ['another version', JSON.stringify({ version: 2, contents: {} })],
    ['no contents', '{"version": 1}'],
    ['contents that are a list', '{"version": 1, "contents": []}'],
    ['an entry that is no object', of({ a: 'x' })],
    ['an entry without a digest', of({ a: { size: 1 } })],
    ['a digest that is not base64', of({ a: { digest: 'zz' } })],
    ['a digest in hex', of({ a: { digest: '098f6bcd4621d373cade4e832627b4f6' } })],
    ['a digest that is not canonical', of({ a: { digest: 'CY9rzUYh03PK3k6DJie09h==' } })],
    ['a negative size', of({ a: { digest, size: -1 } })],
    ['a broken size', of({ a: { digest, size: 1.5 } })],
    ['a size in words', of({ a: { digest, size: '1' } })],
    ['a reference that is no text', of({ a: { digest, ref: { x: 1 } } })],
    ['an empty reference', of({ a: { digest, ref: '' } })],
    ['an extra that is no object', of({ a: { digest, extra: [1] } })],
    [
      'an extra that nests too deeply',
      of({ a: { digest, extra: JSON.parse('{"a":'.repeat(50) + '1' + '}'.repeat(50)) } }),
    ],
    ['an extra that is huge', of({ a: { digest, extra: { a: 'x'.repeat(100_000) } } })],
  ])('with %s', (_, text) => {
    expect(() => parseManifest(text)).toThrow(invalid)
  })

  test('whose nesting would exhaust a recursive reader', () => {
    const bomb = '['.repeat(2_000_000)
    expect(() => parseManifest(bomb)).toThrow(invalid)
    expect(() =>
      parseManifest(
        `{"version":1,"contents":{"a":{"digest":"${digest}","extra":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}}}`,
      ),
    ).toThrow(invalid)
  })

  test('with more files than one may have', () => {
    const contents = Object.fromEntries(Array.from({ length: entriesMax + 1 }, (_, index) => [index, 0]))
    expect(() => parseManifest(of(contents))).toThrow(expect.objectContaining({ code: 'too_large' }))
  })
})

describe('a file name is refused', () => {
  test.each([
    '',
    '.',
    'folder/',
    '/etc/passwd',
    '../up',
    'a/../../up',
    'a/..',
    '..',
    '\\windows',
    'a\\..\\..\\up',
    'C:\\x',
    'c:/x',
    'a\0b',
    '\ud800',
    'x'.repeat(2001),
  ])('%j', (path) => {
    expect(() => checkPath(path)).toThrow(invalid)
    expect(() => parseManifest(of({ [path]: { digest } }))).toThrow(invalid)
  })

  test.each([
    'a',
    'a/b.txt',
    '..a',
    'a..',
    'a/...',
    'ü %<>&?.txt',
    '日本/語',
    '__proto__',
    'constructor',
    '1',
    'C:',
    'a b',
  ])('not %j', (path) =>
    expect(
      parseManifest(`{"version":1,"contents":{${JSON.stringify(path)}:{"digest":"${digest}"}}}`).get(path)
        ?.path,
    ).toBe(path),
  )
})

test('the digest is the one that clients compute', async () => {
  // Computed by `ArtifactManifestV1.digest()` of wandb 0.30 from these entries.
  const manifest = parseManifest(
    of({
      '😀': { digest: 'nd1O4Db4xNbCpLCyT0jgtA==', size: 1 },
      ﬀ: { digest: 'QVKQdpWUReJl0HVpxLt58A==', size: 1 },
      'b/ü.txt': { digest: '1', ref: 's3://x', size: 4 },
      'a.txt': { digest: 'LB/gGEo9TF5Yw9/rDABP9w==', size: 5 },
    }),
  )
  expect(await digestOf(manifest)).toBe('ca502f35b37d3fc10fe040e31992ab1d')
  expect(sizeOf(manifest)).toBe(11)
})

test('printing leaves out what leaked, and reads back as the same', () => {
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'
  const manifest = parseManifest(
    of({
      a: {
        digest,
        size: 4,
        birthArtifactID: printArtifactId(id),
        local_path: '/home/me/a',
        skip_cache: true,
      },
      far: {
        digest: 'etag',
        ref: 's3://bucket/far?versionId=3',
        extra: { versionID: '3', nested: { a: [1] } },
      },
      foreign: { digest, size: 1, birthArtifactID: 'QXJ0aWZhY3Q6OTk5' },
    }),
  )
  const printed = printManifest(manifest)
  expect(printed).not.toContain('/home/me')
  expect(parseManifest(printed)).toEqual(manifest)
  expect(manifest.get('a')).toMatchObject({ birthArtifactId: id, sizeBytes: 4 })
  expect(manifest.get('foreign')?.birthArtifactId).toBeNull()
  expect(JSON.parse(printed).contents.far).toEqual({
    digest: 'etag',
    ref: 's3://bucket/far?versionId=3',
    extra: { versionID: '3', nested: { a: [1] } },
  })
})

test('of merged manifests the later wins, path by path', () => {
  const first = parseManifest(of({ a: { digest, size: 1 }, b: { digest, size: 2 } }))
  const second = parseManifest(of({ b: { digest: 'other', ref: 's3://b' }, c: { digest, size: 3 } }))
  const merged = mergeManifests([first, second])
  expect([...merged.keys()]).toEqual(['a', 'b', 'c'])
  expect(merged.get('b')?.ref).toBe('s3://b')
})

describe('names', () => {
  test('of collections and aliases have no / and no :', () => {
    for (const name of ['', 'a/b', 'a:b', 'a\0', 'a\n', 'x'.repeat(129)]) {
      expect(() => checkCollectionName(name), name).toThrow(invalid)
      expect(() => checkAlias(name), name).toThrow(invalid)
    }
    for (const name of ['ds', 'run-abc-table', 'ünï code', 'x'.repeat(128), 'v1.0']) {
      expect(checkCollectionName(name)).toBe(name)
      expect(checkAlias(name)).toBe(name)
    }
  })

  test('that mean a number cannot be aliases', () => {
    expect(() => checkAlias('v12')).toThrow(invalid)
    expect(checkCollectionName('v12')).toBe('v12')
  })

  test('of types and tags', () => {
    for (const name of ['', 'a/b', ' a', 'wandb-x', 'x'.repeat(129)])
      expect(() => checkType(name), name).toThrow(invalid)
    for (const name of ['run_table', 'my model', 'a.b']) expect(checkType(name)).toBe(name)
    for (const name of ['', ' a', 'a ', 'a.b']) expect(() => checkTag(name), name).toThrow(invalid)
    for (const name of ['prod', 'very good', 'a-b_c']) expect(checkTag(name)).toBe(name)
  })

  test('of versions: a number, an alias, or nothing for the newest', () => {
    expect(readVersionName('ds:v3')).toEqual({ collection: 'ds', version: { index: 3 } })
    expect(readVersionName('ds:best')).toEqual({ collection: 'ds', version: { alias: 'best' } })
    expect(readVersionName('ds')).toEqual({ collection: 'ds', version: { alias: 'latest' } })
    expect(readVersionName('v3')).toEqual({ collection: 'v3', version: { alias: 'latest' } })
    expect(readVersionName('ds:v99999999999')).toEqual({
      collection: 'ds',
      version: { alias: 'v99999999999' },
    })
  })
})

test('an id is canonical base64 without / and +, and nothing else is taken for one', () => {
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'
  const printed = printArtifactId(id)
  expect(printed).toMatch(/^[A-Za-z0-9]+=*$/)
  // Clients turn it into hex and back.
  expect(
    readArtifactId(Buffer.from(Buffer.from(printed, 'base64').toString('hex'), 'hex').toString('base64')),
  ).toBe(id)
  for (const other of [
    '',
    id,
    printed.replace('=', ''),
    `${printed} `,
    `${printed}=`,
    printArtifactId(id.toUpperCase()),
    Buffer.from(`Run:v1:${id}`).toString('base64'),
  ]) {
    if (other !== printed) expect(readArtifactId(other), other).toBeUndefined()
  }
})

test('an MD5 in base64 becomes hex, and nothing else does', () => {
  expect(md5HexOf(digest)).toBe('098f6bcd4621d373cade4e832627b4f6')
  for (const other of [
    '',
    'CY9rzUYh03PK3k6DJie09g',
    'CY9rzUYh03PK3k6DJie09g==\n',
    'CY9rzUYh03PK3k6DJie09h==',
    'AAAA',
  ]) {
    expect(md5HexOf(other), JSON.stringify(other)).toBeUndefined()
  }
})
