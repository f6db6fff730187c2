/** What every blob store must do; run against each implementation. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BlobStore, partBytes } from './blob-store.ts'

const mebibyte = 1024 * 1024

/** @param open a store to which nobody else writes; what it holds is the contract's to make and remove. */
export function blobStoreContract(name: string, open: () => Promise<BlobStore>): void {
  describe(`blob store contract: ${name}`, () => {
    let store: BlobStore
    beforeAll(async () => {
      store = await open()
    })
    afterAll(() => store.close())

    const put = (key: string, content: string | Buffer, limits?: Parameters<BlobStore['put']>[2]) =>
      store.put(key, Readable.from([Buffer.from(content)]), limits)
    const read = async (key: string, range?: { start: number; end: number }) =>
      (await buffer(await store.get(key, range))).toString()
    const keys = async (prefix: string) => {
      const found: string[] = []
      for await (const { key } of store.list(prefix)) found.push(key)
      return found
    }

    test.each([
      '../escape',
      'a/../../b',
      '/a',
      'a//b',
      'a/',
      '',
      '.hidden',
      'a/.',
      'a\0b',
      'ä',
      'a b',
      '~incoming',
      'x'.repeat(2000),
    ])('the key %j is refused by everything', async (key) => {
      const refused = { code: 'invalid' }
      await expect(put(key, 'x')).rejects.toMatchObject(refused)
      await expect(store.get(key)).rejects.toMatchObject(refused)
      await expect(store.stat(key)).rejects.toMatchObject(refused)
      await expect(store.copy(key, 'a')).rejects.toMatchObject(refused)
      await expect(store.copy('a', key)).rejects.toMatchObject(refused)
      await expect(store.remove(['a', key])).rejects.toMatchObject(refused)
    })

    test('what is not there is not found', async () => {
      await expect(store.get('nothing/here')).rejects.toMatchObject({ code: 'not_found' })
      await expect(store.get('nothing/here', { start: 0, end: 1 })).rejects.toMatchObject({
        code: 'not_found',
      })
      await expect(store.copy('nothing/here', 'there')).rejects.toMatchObject({ code: 'not_found' })
      expect(await store.stat('nothing/here')).toBeUndefined()
      expect(await keys('nothing')).toEqual([])
      await expect(store.remove(['nothing/here'])).resolves.toBeUndefined()
    })

    test('a folder of keys is not itself a key', async () => {
      await put('folder/key', 'x')
      await expect(store.get('folder')).rejects.toMatchObject({ code: 'not_found' })
      expect(await store.stat('folder')).toBeUndefined()
    })

    test.each([
      ['small', 1000],
      ['large', 20 * mebibyte],
    ])('an upload that breaks off leaves nothing (%s)', async (size, bytes) => {
      const key = `broken/${size}`
      async function* breaking() {
        for (let sent = 0; sent < bytes; sent += 100_000) yield randomBytes(Math.min(100_000, bytes - sent))
        throw new Error('the cable was pulled')
      }
      await expect(store.put(key, Readable.from(breaking()))).rejects.toThrow('the cable was pulled')
      expect(await store.stat(key)).toBeUndefined()
      expect(await keys('broken/')).toEqual([])
    })

    test('an upload that breaks off leaves what was there before', async () => {
      await put('kept/file', 'before')
      const broken = Readable.from(
        (async function* () {
          yield Buffer.from('after')
          throw new Error('the cable was pulled')
        })(),
      )
      await expect(store.put('kept/file', broken)).rejects.toThrow('the cable was pulled')
      expect(await read('kept/file')).toBe('before')
    })

    test('an upload whose digest is not the announced one leaves nothing', async () => {
      const expectedMd5Hex = createHash('md5').update('other').digest('hex')
      await expect(put('damaged', 'content', { expectedMd5Hex })).rejects.toMatchObject({ code: 'invalid' })
      await expect(put('damaged', randomBytes(20 * mebibyte), { expectedMd5Hex })).rejects.toMatchObject({
        code: 'invalid',
      })
      expect(await store.stat('damaged')).toBeUndefined()
    })

    test('an upload that is too large is refused before it is whole', async () => {
      let sentBytes = 0
      async function* endless() {
        for (;;) {
          sentBytes += 100_000
          yield Buffer.alloc(100_000)
        }
      }
      await expect(
        store.put('endless', Readable.from(endless()), { sizeMaxBytes: mebibyte }),
      ).rejects.toMatchObject({ code: 'too_large' })
      expect(sentBytes).toBeLessThan(4 * mebibyte)
      expect(await store.stat('endless')).toBeUndefined()
    })

    test('a range outside of the file is refused', async () => {
      await put('ranged', '0123456789')
      for (const range of [
        { start: 10, end: 12 },
        { start: 5, end: 4 },
        { start: -1, end: 4 },
        { start: 0.5, end: 4 },
      ])
        await expect(store.get('ranged', range)).rejects.toMatchObject({ code: 'invalid' })
    })

    test('what was put is got, whole or by a range whose ends are included', async () => {
      const content = '0123456789'
      expect(await put('ranged', content)).toEqual({
        sizeBytes: 10,
        md5Hex: createHash('md5').update(content).digest('hex'),
        sha256Hex: createHash('sha256').update(content).digest('hex'),
      })
      expect(await read('ranged')).toBe(content)
      expect(await read('ranged', { start: 0, end: 0 })).toBe('0')
      expect(await read('ranged', { start: 3, end: 5 })).toBe('345')
      expect(await read('ranged', { start: 8, end: 100 })).toBe('89')
      const found = await store.stat('ranged')
      expect(found?.sizeBytes).toBe(10)
      expect(Math.abs(Date.now() - found!.updatedAt.getTime())).toBeLessThan(60_000)
    })

    test('a file may be empty', async () => {
      expect(await put('empty', '')).toMatchObject({
        sizeBytes: 0,
        md5Hex: 'd41d8cd98f00b204e9800998ecf8427e',
      })
      expect(await read('empty')).toBe('')
      expect(await store.stat('empty')).toMatchObject({ sizeBytes: 0 })
      await expect(store.get('empty', { start: 0, end: 0 })).rejects.toMatchObject({ code: 'invalid' })
    })

    test('a second put replaces the first, for whoever reads from then on', async () => {
      await put('replaced', 'first')
      const reading = await store.get('replaced')
      await put('replaced', 'second')
      expect((await buffer(reading)).toString()).toBe('first')
      expect(await read('replaced')).toBe('second')
    })

    test('of two puts at once, one is kept whole', async () => {
      const contents = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(100_000))
      await Promise.all(contents.map((content) => put('contested', content)))
      expect(contents).toContain(await read('contested'))
    })

    test('a copy has the content and outlives its source', async () => {
      await put('copy/from', 'content')
      await store.copy('copy/from', 'copy/to')
      await store.copy('copy/from', 'copy/to')
      await store.remove(['copy/from'])
      expect(await read('copy/to')).toBe('content')
      expect(await keys('copy/')).toEqual(['copy/to'])
    })

    test('a copy does not change when its source is replaced', async () => {
      await put('copy/source', 'before')
      await store.copy('copy/source', 'copy/kept')
      await put('copy/source', 'after')
      expect(await read('copy/kept')).toBe('before')
    })

    test('keys are listed by prefix, in order, with their sizes', async () => {
      // No character that sorts before a slash: SeaweedFS has those after the folder, Amazon before.
      const all = ['list/a', 'list/a/b', 'list/a/c/d', 'list/a0', 'list/b', 'list/Z', 'lists']
      for (const [index, key] of all.entries()) await put(key, 'x'.repeat(index))
      expect(await keys('list/')).toEqual(['list/Z', 'list/a', 'list/a/b', 'list/a/c/d', 'list/a0', 'list/b'])
      expect(await keys('list/a')).toEqual(['list/a', 'list/a/b', 'list/a/c/d', 'list/a0'])
      expect(await keys('list/a/')).toEqual(['list/a/b', 'list/a/c/d'])
      expect(await keys('lists')).toEqual(['lists'])
      const sizes = []
      for await (const { sizeBytes } of store.list('list/a/')) sizes.push(sizeBytes)
      expect(sizes).toEqual([1, 2])
      await expect(keys('../')).rejects.toMatchObject({ code: 'invalid' })
    })

    test('many keys are listed and removed', async () => {
      const many = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(5, '0')}`)
      for (let from = 0; from < many.length; from += 50)
        await Promise.all(many.slice(from, from + 50).map((key) => put(key, 'x')))
      expect(await keys('many/')).toEqual(many)
      await store.remove(many.slice(1))
      expect(await keys('many/')).toEqual(many.slice(0, 1))
    })

    test('parts in any order, some sent twice, become one blob, visible only at the end', async () => {
      const last = randomBytes(1000)
      const first = randomBytes(partBytes)
      const token = await store.beginParts('parts/whole')
      const part = (number: number, bytes: Buffer, size = bytes.length) =>
        store.putPart('parts/whole', token, number, Readable.from([bytes]), size)
      await expect(part(1, last, 999)).rejects.toMatchObject({ code: 'invalid' })
      await expect(part(1, last, 1001)).rejects.toMatchObject({ code: 'invalid' })
      const second = await part(2, last)
      await part(1, first)
      const one = await part(1, first)
      expect(await store.stat('parts/whole')).toBeUndefined()
      expect(await keys('parts/')).toEqual([])
      await store.finishParts('parts/whole', token, [one, second])
      const whole = await buffer(await store.get('parts/whole'))
      expect(whole.equals(Buffer.concat([first, last]))).toBe(true)
    })

    test('parts that were abandoned leave nothing', async () => {
      const token = await store.beginParts('parts/given-up')
      await store.putPart('parts/given-up', token, 1, Readable.from([Buffer.from('abc')]), 3)
      await store.abandonParts('parts/given-up', token)
      await store.abandonParts('parts/given-up', token)
      await expect(
        store.putPart('parts/given-up', token, 2, Readable.from([Buffer.from('abc')]), 3),
      ).rejects.toMatchObject({ code: 'not_found' })
      expect(await store.stat('parts/given-up')).toBeUndefined()
    })

    test('a large file goes in and out in bounded memory', async () => {
      // Buffers that wait for the garbage collector weigh up to 100 MiB: a file held whole must stand out from them.
      const bytes = 240 * mebibyte
      const block = randomBytes(mebibyte)
      function* blocks() {
        for (let sent = 0; sent < bytes; sent += block.length) yield block
      }
      const before = process.memoryUsage().rss
      let peak = before
      const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5)
      const stored = await store.put('large', Readable.from(blocks()))
      expect(stored.sizeBytes).toBe(bytes)
      const hash = createHash('sha256')
      for await (const chunk of await store.get('large')) hash.update(chunk as Buffer)
      clearInterval(watch)
      expect(hash.digest('hex')).toBe(stored.sha256Hex)
      expect(peak - before).toBeLessThan(180 * mebibyte)
    })
  })
}
