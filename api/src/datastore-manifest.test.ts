import { expect, test } from 'vitest'
import {
  checkLink,
  comparePaths,
  datastoreNameOf,
  printManifestLine,
  readManifestLine,
} from './datastore-manifest.ts'

const h = 'a'.repeat(64)

test.each([
  '',
  '[]',
  'null',
  '{"p":"a"}',
  `{"p":"a","s":-1,"h":"${h}"}`,
  `{"p":"a","s":1.5,"h":"${h}"}`,
  `{"p":"a","s":1,"h":"A${h.slice(1)}"}`,
  `{"s":1,"p":"a","h":"${h}"}`,
  `{"p":"a","s":1,"h":"${h}","y":1}`,
  `{"p":"../a","s":1,"h":"${h}"}`,
  `{"p":"/a","s":1,"h":"${h}"}`,
  `{"p":"a//b","s":1,"h":"${h}"}`,
  `{"p":"a/./b","s":1,"h":"${h}"}`,
  `{"p":"","s":1,"h":"${h}"}`,
  `{"p":"a\\u0000","s":1,"h":"${h}"}`,
  `{"p":"${'a'.repeat(256)}","s":1,"h":"${h}"}`,
  '{"p":"a","l":"/etc/passwd"}',
  '{"p":"a/b","l":"../../x"}',
])('a manifest does not hold %s', (line) => {
  expect(() => readManifestLine(line)).toThrow()
})

test.each([
  { kind: 'file', path: 'a/b c/ü.txt', sizeBytes: 0, sha256Hex: h, executable: false },
  { kind: 'file', path: 'run.sh', sizeBytes: 12, sha256Hex: h, executable: true },
  { kind: 'link', path: 'a/latest', target: '../b/./c' },
  { kind: 'folder', path: 'empty' },
] as const)('an entry is read as it was printed: $path', (entry) => {
  expect(readManifestLine(printManifestLine(entry).slice(0, -1))).toEqual(entry)
})

test('a link may climb, but not above its tree', () => {
  expect(() => checkLink('a/b/c', '../../d')).not.toThrow()
  expect(() => checkLink('a/b/c', '../../../d')).toThrow(/out of the folder/)
  expect(() => checkLink('a', 'b/../../a')).toThrow(/out of the folder/)
})

test('paths sort as their bytes do', () => {
  const paths = ['a', 'a-b', 'a/b', 'a0', 'ab', 'é', '\uffee', '😀']
  const byBytes = paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  expect(paths.toReversed().toSorted(comparePaths)).toEqual(byBytes)
})

test.each([
  ['esRedditJson/', 'esredditjson'],
  ['/data/trainingSet.tar.gz', 'trainingset'],
  ['https://example.org/sets/Cats%20and%20dogs.zip?x=1', 'cats20and20dogs'],
  ['mnist.csv', 'mnist'],
  ['2021', 'data-2021'],
  ['···', ''],
])('%s is called %s', (source, name) => {
  expect(datastoreNameOf(source)).toBe(name)
})
