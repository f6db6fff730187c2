import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Actor } from '../actor.ts'
import { runStatusOf } from './status.ts'
import { openBench, type Bench } from './testing.ts'

let bench: Bench
beforeAll(async () => {
  bench = await openBench()
})
afterAll(() => bench.close())

const code = (expected: string) => expect.objectContaining({ code: expected })
const all = { limit: 50, show: 'active', scope: 'global' } as const

async function ended(actor: Actor, exitCode: number, given: Parameters<Bench['anExperiment']>[1] = {}) {
  const made = await bench.anExperiment(actor, given)
  await bench.experiments.append(actor, made.ref, { complete: { exitCode } })
  return made
}

test('a run is what its experiments are: waiting first, then running, then as good as the worst', () => {
  const none = { queued: 0, running: 0, failed: 0, stopped: 0 }
  expect(runStatusOf({ ...none, queued: 1, running: 1, failed: 1 })).toBe('queued')
  expect(runStatusOf({ ...none, running: 1, failed: 1 })).toBe('running')
  expect(runStatusOf({ ...none, failed: 1, stopped: 1 })).toBe('failed')
  expect(runStatusOf({ ...none, stopped: 1 })).toBe('cancelled')
  expect(runStatusOf(none)).toBe('succeeded')
})

describe('status', () => {
  test('shows a stranger nothing, and refuses a team that is not theirs', async () => {
    const team = await bench.aTeam()
    await bench.anExperiment(team.member)
    expect(await bench.experiments.status(team.stranger, all)).toEqual({
      items: [],
      nextCursor: null,
      inactive: 0,
    })
    await expect(bench.experiments.status(team.stranger, { ...all, team: team.slug })).rejects.toEqual(
      code('not_found'),
    )
  })

  test('counts the experiments of a group by state; mine are mine and global is the team’s', async () => {
    const team = await bench.aTeam()
    await ended(team.member, 0, { group: 'sweep' })
    await ended(team.member, 1, { group: 'sweep' })
    await bench.anExperiment(team.member, { group: 'sweep', state: 'pending' })
    bench.time.now += 10_000
    const running = await bench.anExperiment(team.member, { group: 'sweep' })
    await bench.experiments.append(team.member, running.ref, { preempting: true })
    await bench.anExperiment(team.mate, { group: 'sweep', name: 'other' })
    await ended(team.mate, 0, { name: 'alone' })

    const mine = await bench.experiments.status(team.member, { ...all, scope: 'mine' })
    expect(mine).toMatchObject({
      inactive: 0,
      items: [
        {
          run: 'sweep',
          team: team.slug,
          project: 'digits',
          status: 'queued',
          experiments: 4,
          running: 1,
          queued: 1,
          completed: 1,
          failed: 1,
          stopped: 0,
        },
      ],
    })
    expect(mine.items[0]!.durationSeconds).toBeGreaterThanOrEqual(10)
    const global = await bench.experiments.status(team.viewer, all)
    expect(global.items.map((row) => [row.createdBy.username, row.experiments])).toEqual([
      [team.mate.username, 1],
      [team.member.username, 4],
    ])
    expect(global.inactive).toBe(1)
    const history = await bench.experiments.status(team.viewer, { ...all, show: 'history' })
    expect(history.items).toMatchObject([{ run: 'alone', status: 'succeeded', completed: 1 }])
    const ofMate = await bench.experiments.status(team.viewer, { ...all, user: team.mate.username })
    expect(ofMate.items).toHaveLength(1)
  })

  test('comes in pages, newest first', async () => {
    const team = await bench.aTeam()
    for (let index = 0; index < 5; index++) await bench.anExperiment(team.member, { name: `n${index}` })
    const names: string[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof bench.experiments.status>> = await bench.experiments.status(
        team.member,
        {
          ...all,
          limit: 2,
          ...(cursor ? { cursor } : {}),
        },
      )
      names.push(...page.items.map((row) => row.run))
      cursor = page.nextCursor
    } while (cursor)
    expect(names).toEqual(['n4', 'n3', 'n2', 'n1', 'n0'])
  })
})

describe('references', () => {
  const slugs = (found: { slug: string }[]) => found.map((each) => each.slug).toSorted()

  test('nothing of another team can be named, however it is written', async () => {
    const team = await bench.aTeam()
    const { slug, name, id } = await bench.anExperiment(team.member, { group: 'g' })
    const { username } = team.member
    for (const ref of [
      slug,
      name,
      'g',
      `${username}:${slug}`,
      `${team.slug}/digits/${slug}`,
      `${team.slug}:${slug}`,
      id,
    ])
      await expect(bench.experiments.resolve(team.stranger, { ref })).rejects.toEqual(code('not_found'))
  })

  test('a name is found by id, display name, path, owner, team and group', async () => {
    const team = await bench.aTeam()
    await bench.anExperiment(team.member, { slug: 'abc12345', name: 'Swift Otter', group: 'sweep: 1' })
    await bench.anExperiment(team.member, { slug: 'def12345', group: 'sweep: 1' })
    const { username } = team.member
    for (const ref of [
      'abc12345',
      'swift otter',
      `${username}:abc12345`,
      `${username.toUpperCase()}@EXAMPLE.ORG:abc12345`,
      `${team.slug}:Swift Otter`,
      `${team.slug}/DIGITS/abc12345`,
    ])
      expect(slugs(await bench.experiments.resolve(team.mate, { ref }))).toEqual(['abc12345'])
    expect(slugs(await bench.experiments.resolve(team.member, { ref: 'me:abc12345' }))).toEqual(['abc12345'])
    await expect(bench.experiments.resolve(team.mate, { ref: 'me:abc12345' })).rejects.toEqual(
      code('not_found'),
    )
    expect(slugs(await bench.experiments.resolve(team.mate, { ref: 'sweep: 1' }))).toEqual([
      'abc12345',
      'def12345',
    ])
  })

  test('one’s own comes before a team mate’s of the same name', async () => {
    const team = await bench.aTeam()
    await bench.anExperiment(team.member, { slug: 'mine', name: 'baseline' })
    await bench.anExperiment(team.mate, { slug: 'theirs', name: 'baseline' })
    expect(slugs(await bench.experiments.resolve(team.member, { ref: 'baseline' }))).toEqual(['mine'])
    expect(slugs(await bench.experiments.resolve(team.mate, { ref: 'baseline' }))).toEqual(['theirs'])
    const ref = `${team.member.username}:baseline`
    expect(slugs(await bench.experiments.resolve(team.mate, { ref }))).toEqual(['mine'])
  })

  test('what may mean several is refused with the candidates, each of which can be typed', async () => {
    const team = await bench.aTeam()
    await bench.anExperiment(team.member, { slug: 'one', name: 'baseline' })
    await bench.anExperiment(team.mate, { slug: 'two', name: 'baseline' })
    const refused = bench.experiments.resolve(team.viewer, { ref: 'baseline' })
    await expect(refused).rejects.toEqual(code('invalid'))
    await expect(bench.experiments.resolve(team.viewer, { ref: 'baseline' })).rejects.toThrow(
      `${team.slug}/digits/two, ${team.slug}/digits/one`,
    )
    const path = `${team.slug}/digits/two`
    expect(slugs(await bench.experiments.resolve(team.viewer, { ref: path }))).toEqual(['two'])
    await bench.anExperiment(team.member, { slug: 'three', group: 'pair' })
    await bench.anExperiment(team.mate, { slug: 'four', group: 'pair' })
    await expect(bench.experiments.resolve(team.viewer, { ref: 'pair' })).rejects.toEqual(code('invalid'))
    const mine = { ref: `${team.mate.username}:pair` }
    expect(slugs(await bench.experiments.resolve(team.viewer, mine))).toEqual(['four'])
  })

  test('a name that nobody has gets a sentence that helps', async () => {
    const team = await bench.aTeam()
    for (const ref of ['none', 'nobody:none', 'a/b/c', ':', '::'])
      await expect(bench.experiments.resolve(team.member, { ref })).rejects.toMatchObject({
        code: 'not_found',
        details: { hint: expect.stringContaining('grid status') },
      })
  })
})
