import { GridError } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'
import { partBytes } from '../stores/blob/blob-store.ts'
import { createSender, entriesOf, manifestOf, packOf, sha256 } from './testing.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let put: ReturnType<typeof createSender>['put']
let send: ReturnType<typeof createSender>['send']
const time = { aheadMs: 0 }

beforeAll(async () => {
  app = await startApp({ clock: { now: () => new Date(Date.now() + time.aheadMs) } })
  team = await app.aTeam()
  ;({ put, send } = createSender(app))
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

let names = 0
const aName = () => `cats-${(names += 1)}`

async function refusal(act: Promise<unknown>): Promise<string> {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof GridError ? error.code : String(error)
}

const read = async (url: string, headers: Record<string, string> = {}) =>
  (await app.inject(new Request(url, { headers }))).text()

async function start(person = team.member, name = aName()) {
  return (await person.datastores.startUpload({ team: team.slug, name })).id
}

describe('what does not become a version', () => {
  test('bytes that are not what their digest says', async () => {
    const upload = await start()
    expect(await refusal(put(team.member, `${upload}/contents/${sha256('a')}`, 'b'))).toBe('invalid')
    const pack = packOf(['good', 'bad'])
    pack.write('x', pack.length - 1)
    expect(await refusal(put(team.member, `${upload}/pack`, pack))).toBe('invalid')
    const asked = [sha256('a'), sha256('good'), sha256('bad')]
    const { missing } = await team.member.datastores.missing({ uploadId: upload, sha256Hexes: asked })
    expect(missing).toEqual(asked)
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a header', packOf(['abc']).subarray(0, 20)],
    ['half a file', packOf(['abc', 'defgh']).subarray(0, -2)],
  ])('a pack with %s', async (_, pack) => {
    expect(await refusal(put(team.member, `${await start()}/pack`, pack))).toBe('invalid')
  })

  test('a manifest that is broken, out of order, or names what has not arrived', async () => {
    const upload = await start()
    await put(team.member, `${upload}/pack`, packOf(['abc']))
    const file = (path: string, content = 'abc') => entriesOf({ [path]: content })[0]!
    const wrongs: [string, Buffer, string][] = [
      ['not gzip', Buffer.from('{}'), 'invalid'],
      ['out of order', manifestOf([file('b'), file('a')]), 'invalid'],
      ['twice the same', manifestOf([file('a'), file('a')]), 'invalid'],
      ['file and folder', manifestOf([file('a'), file('a-b'), file('a/b')]), 'invalid'],
      ['wrong size', manifestOf([{ ...file('a'), sizeBytes: 5 } as never]), 'invalid'],
      ['a path that leaves', manifestOf([{ ...file('a'), path: '../a' }]), 'invalid'],
      ['a link that leaves', manifestOf([{ kind: 'link', path: 'l', target: '/etc' }]), 'invalid'],
      ['not there', manifestOf([file('a', 'never sent')]), 'conflict'],
    ]
    for (const [what, manifest, code] of wrongs)
      expect(await refusal(put(team.member, `${upload}/manifest`, manifest)), what).toBe(code)
    // None of these spoiled the upload.
    expect(await put(team.member, `${upload}/manifest`, manifestOf([file('a')]))).toMatchObject({
      version: 1,
    })
  })

  test('somebody else’s upload, also for a team mate and the admin', async () => {
    const upload = await start()
    for (const person of [team.mate, team.admin, team.outsider, team.removed]) {
      expect(await refusal(put(person, `${upload}/pack`, packOf(['abc'])))).toBe('not_found')
      expect(await refusal(person.datastores.missing({ uploadId: upload, sha256Hexes: [] }))).toBe(
        'not_found',
      )
    }
    expect(await team.mate.datastores.uploads({})).toEqual([])
  })

  test('a viewer’s, a stranger’s, or one by a name that is a version', async () => {
    const begin = (person: typeof team.viewer, name: string) =>
      refusal(person.datastores.startUpload({ team: team.slug, name }))
    expect(await begin(team.viewer, aName())).toBe('forbidden')
    expect(await begin(team.outsider, aName())).toBe('not_found')
    expect(await begin(team.member, '12')).toBe('invalid')
    expect(await begin(team.member, 'a/b')).toBe('invalid')
  })
})

describe('a version', () => {
  test('is a tree with folders and their sums, whose files come back byte for byte', async () => {
    const name = aName()
    const { datastoreId } = await send(team.member, team.slug, name, {
      'a/b/one.txt': 'one',
      'a/b/two.csv': 'x,y\n1,2\n',
      'a/b-c/three.txt': 'three',
      'a/latest': { link: 'b/one.txt' },
      'empty/': '',
      'ünïcode 😀.txt': 'one',
    })
    const where = { datastoreId, version: 1 }
    const list = async (folder: string) => (await team.mate.datastores.files({ ...where, folder })).items
    expect((await list('')).map(({ name: each, kind, files }) => [each, kind, files])).toEqual([
      ['a', 'folder', 3],
      ['empty', 'folder', 0],
      ['ünïcode 😀.txt', 'file', 1],
    ])
    expect((await list('a')).map(({ name: each, kind, sizeBytes }) => [each, kind, sizeBytes])).toEqual([
      ['b', 'folder', 11],
      ['b-c', 'folder', 5],
      ['latest', 'link', 0],
    ])
    expect(await list('empty')).toEqual([])
    expect(await refusal(team.mate.datastores.files({ ...where, folder: 'nowhere' }))).toBe('not_found')
    const { url, downloadUrl, mediaType } = await team.mate.datastores.file({ ...where, path: 'a/b/two.csv' })
    expect(mediaType).toBe('text/csv')
    expect(await read(url)).toBe('x,y\n1,2\n')
    expect(await read(downloadUrl, { range: 'bytes=2-3' })).toBe('y\n')
    const [shown] = (await team.mate.datastores.get({ datastoreId })).versions
    expect(shown).toMatchObject({ number: 1, files: 4, sizeBytes: 19 })
  })

  test('gets the next number, sends only what changed, and is itself when nothing did', async () => {
    const name = aName()
    const tree = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`f${index}`, `${name} ${index}`]),
    )
    expect(await send(team.member, team.slug, name, tree)).toMatchObject({ version: 1, sent: 30 })
    expect(await send(team.member, team.slug, name, { ...tree, f7: `${name} new` })).toMatchObject({
      version: 2,
      sent: 1,
      isNew: true,
    })
    const again = await send(team.member, team.slug, name, tree)
    expect(again).toMatchObject({ version: 1, sent: 0, isNew: false })
    const difference = await team.member.datastores.difference({
      datastoreId: again.datastoreId,
      version: 2,
      since: 1,
    })
    expect(difference).toMatchObject({ added: 0, removed: 0, changed: 1, same: 29 })
    expect(difference.entries.map(({ path, how }) => [path, how])).toEqual([['f7', 'changed']])
  })

  test('of many files is written in bounded steps and listed in pages', async () => {
    const tree = Object.fromEntries(
      Array.from({ length: 4500 }, (_, index) => [
        `d${index % 3}/f${String(index).padStart(5, '0')}`,
        `${index}`,
      ]),
    )
    const { datastoreId } = await send(team.member, team.slug, aName(), tree)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await team.member.datastores.files({
        datastoreId,
        version: 1,
        folder: 'd1',
        limit: 400,
        ...(cursor === undefined ? {} : { cursor }),
      })
      seen.push(...page.items.map((entry) => entry.name))
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    expect(seen).toHaveLength(1500)
    expect(seen).toEqual(seen.toSorted())
  })

  test('of one large file is put together from parts that came in any order, over two tries', async () => {
    const name = aName()
    const part1 = partBytes
    const content = Buffer.alloc(part1 * 2 + 1000, 'abcdefg')
    const digest = sha256(content)
    const upload = await start(team.member, name)
    const part = (startByte: number, endByte: number) =>
      put(
        team.member,
        `${upload}/contents/${digest}/parts/${startByte}`,
        content.subarray(startByte, endByte),
      )
    await part(part1, 2 * part1)
    await part(2 * part1, content.length)
    const join = () => put(team.member, `${upload}/contents/${digest}/joined`, '')
    expect(await refusal(join())).toBe('conflict')
    const { parts } = await team.member.datastores.missing({ uploadId: upload, sha256Hexes: [digest] })
    expect(parts).toEqual([
      { sha256Hex: digest, startByte: part1, sizeBytes: part1 },
      { sha256Hex: digest, startByte: 2 * part1, sizeBytes: 1000 },
    ])
    expect(await refusal(put(team.member, `${upload}/contents/${digest}/parts/5`, 'x'))).toBe('invalid')
    await part(0, part1)
    await part(0, part1)
    await join()
    await put(team.member, `${upload}/manifest`, manifestOf(entriesOf({ 'big.bin': content })))
    const { datastore } = await team.member.datastores.resolve({ ref: name })
    const { url } = await team.member.datastores.file({
      datastoreId: datastore.id,
      version: 1,
      path: 'big.bin',
    })
    expect(sha256(await read(url))).toBe(digest)
  })
})

describe('what is private stays private', () => {
  test('a digest alone gives nobody the bytes', async () => {
    await send(team.admin, team.slug, aName(), { secret: 'only mine' }, { visibility: 'private' })
    const upload = await start(team.member)
    const digest = sha256('only mine')
    const { missing } = await team.member.datastores.missing({ uploadId: upload, sha256Hexes: [digest] })
    expect(missing).toEqual([digest])
    const manifest = manifestOf(entriesOf({ stolen: 'only mine' }))
    expect(await refusal(put(team.member, `${upload}/manifest`, manifest))).toBe('conflict')
    // Whoever has the bytes may send them, and they are stored once.
    await put(team.member, `${upload}/contents/${digest}`, 'only mine')
    expect(await put(team.member, `${upload}/manifest`, manifest)).toMatchObject({ version: 1 })
    const stored = await app.db
      .selectFrom('datastore_contents')
      .select('sha256_hex')
      .where('sha256_hex', '=', digest)
      .execute()
    expect(stored).toHaveLength(1)
  })

  test('a private one is its owner’s and the admin’s; one open to the organisation is read by all of it', async () => {
    const mine = await send(team.member, team.slug, aName(), { a: 'private a' }, { visibility: 'private' })
    const get = (person: typeof team.mate, datastoreId: string) =>
      refusal(person.datastores.get({ datastoreId }).then(() => Promise.reject(new Error('seen'))))
    expect(await get(team.mate, mine.datastoreId)).toBe('not_found')
    expect(await get(team.viewer, mine.datastoreId)).toBe('not_found')
    expect(await get(team.admin, mine.datastoreId)).toBe('Error: seen')
    const all = await send(team.member, team.slug, aName(), { a: 'open a' }, { visibility: 'organisation' })
    expect(await get(team.outsider, all.datastoreId)).toBe('Error: seen')
    const file = await team.outsider.datastores.file({ ...all, path: 'a' })
    expect(await read(file.url)).toBe('open a')
    const change = { datastoreId: all.datastoreId, description: 'mine now' }
    expect(await refusal(team.outsider.datastores.change(change))).toBe('forbidden')
    const listed = (await team.outsider.datastores.list({})).items.map((each) => each.id)
    expect(listed).toContain(all.datastoreId)
    expect(listed).not.toContain(mine.datastoreId)
  })

  test('a link to a file ends with the membership', async () => {
    const joined = await app.aPerson()
    await app.operator.teams.addMember({ team: team.slug, username: joined.username, role: 'member' })
    const { datastoreId } = await send(team.member, team.slug, aName(), { a: 'link a' })
    const { url } = await joined.datastores.file({ datastoreId, version: 1, path: 'a' })
    expect(await read(url)).toBe('link a')
    await team.admin.teams.removeMember({ team: team.slug, username: joined.username })
    expect((await app.inject(new Request(url))).status).toBe(404)
  })
})

describe('references', () => {
  test('mine first, then by owner; what is missing is told with what there is', async () => {
    const name = aName()
    await send(team.member, team.slug, name, { a: '1' })
    await send(team.member, team.slug, name, { a: '2' })
    await send(team.mate, team.slug, name, { a: '3' })
    const resolved = async (person: typeof team.mate, ref: string) => {
      const { datastore, version } = await person.datastores.resolve({ ref })
      return [datastore.owner.username, version.number]
    }
    expect(await resolved(team.member, name)).toEqual([team.member.username, 2])
    expect(await resolved(team.mate, name)).toEqual([team.mate.username, 1])
    expect(await resolved(team.mate, `${team.member.username}:${name}:1`)).toEqual([team.member.username, 1])
    expect(await resolved(team.mate, `${team.member.username}:/datastores/${name}/1`)).toEqual([
      team.member.username,
      1,
    ])
    await expect(team.admin.datastores.resolve({ ref: name })).rejects.toThrow(/names 2 datastores/)
    await expect(team.mate.datastores.resolve({ ref: `${team.member.username}:${name}:9` })).rejects.toThrow(
      /it has 1, 2/,
    )
    expect(await refusal(team.outsider.datastores.resolve({ ref: `${team.member.username}:${name}` }))).toBe(
      'not_found',
    )
  })
})

describe('deleting', () => {
  test('needs the right, shows what it frees, and can be undone for a week', async () => {
    const name = aName()
    const one = await send(team.member, team.slug, name, { shared: 'shared by both', own: 'only in one' })
    await send(team.member, team.slug, name, { shared: 'shared by both' })
    const version = { datastoreId: one.datastoreId, version: 1 }
    expect(await refusal(team.mate.datastores.delete(version))).toBe('policy_denied')
    expect(await team.member.datastores.deletion(version)).toMatchObject({
      sizeBytes: 25,
      freesBytes: 'only in one'.length,
    })
    await team.member.datastores.delete(version)
    expect(await refusal(team.member.datastores.files({ ...version, folder: '' }))).toBe('not_found')
    await team.member.datastores.restore(version)
    expect((await team.member.datastores.files({ ...version, folder: '' })).items).toHaveLength(2)
  })

  test('after a week the bytes that nobody else holds are gone, and no others', async () => {
    const name = aName()
    const one = await send(team.member, team.slug, name, { kept: 'kept bytes', gone: 'gone bytes' })
    await send(team.member, team.slug, name, { kept: 'kept bytes' })
    const abandoned = await start(team.member)
    await put(team.member, `${abandoned}/pack`, packOf(['abandoned bytes']))
    await team.member.datastores.delete({ datastoreId: one.datastoreId, version: 1 })
    const isStored = async (content: string) =>
      (await app.db
        .selectFrom('datastore_contents')
        .select('sha256_hex')
        .where('sha256_hex', '=', sha256(content))
        .executeTakeFirst()) !== undefined
    await app.datastores.clear()
    expect(await Promise.all(['kept bytes', 'gone bytes', 'abandoned bytes'].map(isStored))).toEqual([
      true,
      true,
      true,
    ])
    time.aheadMs = 8 * 24 * 60 * 60 * 1000
    try {
      await app.datastores.clear()
      expect(await Promise.all(['kept bytes', 'gone bytes', 'abandoned bytes'].map(isStored))).toEqual([
        true,
        false,
        false,
      ])
      const { url } = await team.mate.datastores.file({
        datastoreId: one.datastoreId,
        version: 2,
        path: 'kept',
      })
      expect(await read(url)).toBe('kept bytes')
      expect(await refusal(put(team.member, `${abandoned}/pack`, packOf(['x'])))).toBe('not_found')
      // Its number is not given again.
      expect(await send(team.member, team.slug, name, { a: 'after' })).toMatchObject({ version: 3 })
    } finally {
      time.aheadMs = 0
    }
  })
})

test('damaged bytes are named, never handed out, and repaired by sending them again', async () => {
  const content = 'these bytes will rot'
  const { datastoreId } = await send(team.member, team.slug, aName(), { file: content })
  const { blob_key } = await app.db
    .selectFrom('datastore_contents')
    .select('blob_key')
    .where('sha256_hex', '=', sha256(content))
    .executeTakeFirstOrThrow()
  const { Readable } = await import('node:stream')
  await app.blobs.put(blob_key, Readable.from([packOf(['these bytes have rot'])]))
  expect(await app.datastores.verify(sha256(content))).toBe(false)
  const file = { datastoreId, version: 1, path: 'file' }
  await expect(team.mate.datastores.file(file)).rejects.toThrow(/damaged/)
  expect(await send(team.mate, team.slug, aName(), { copy: content })).toMatchObject({ sent: 1 })
  const { url } = await team.mate.datastores.file(file)
  expect(await read(url)).toBe(content)
})

test('everything stored is read again in time; what has rotten is quarantined and its admins are told', async () => {
  const fresh = await app.aTeam()
  const content = 'read again after a week'
  const { datastoreId } = await send(fresh.member, fresh.slug, 'rotting', { 'deep/file': content })
  const { blob_key } = await app.db
    .selectFrom('datastore_contents')
    .select('blob_key')
    .where('sha256_hex', '=', sha256(content))
    .executeTakeFirstOrThrow()
  await app.blobs.remove([blob_key])
  time.aheadMs = 8 * 24 * 60 * 60 * 1000
  try {
    // An hour's share is a little; a year of hours is everything.
    for (;;) {
      const { read, damaged } = await app.datastores.scrub()
      if (damaged.includes(sha256(content))) break
      expect(read).toBeGreaterThan(0)
    }
  } finally {
    time.aheadMs = 0
  }
  expect((await fresh.mate.datastores.get({ datastoreId })).versions[0]!.damagedFiles).toBe(1)
  for (const person of [fresh.admin, fresh.member]) {
    const { items } = await person.notifications.list({})
    expect(items.map(({ title }) => title).join()).toContain('deep/file of version 1')
  }
  expect((await fresh.mate.notifications.list({})).items).toEqual([])
  const noted = await app.db
    .selectFrom('activity')
    .select('details')
    .where('action', '=', 'datastore:damaged')
    .where('subject_id', '=', datastoreId)
    .execute()
  expect(noted).toHaveLength(1)
})

test('storage is told by owner, equal files counted once', async () => {
  const fresh = await app.aTeam()
  await send(fresh.member, fresh.slug, 'one', { a: '12345', b: '12345' })
  await send(fresh.member, fresh.slug, 'two', { a: '12345' })
  expect(await fresh.viewer.datastores.storage({ team: fresh.slug })).toEqual([
    expect.objectContaining({ datastores: 2, versions: 2, sizeBytes: 15, storedBytes: 5 }),
  ])
})
