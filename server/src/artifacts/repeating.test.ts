import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ArtifactBench, md5Base64, openArtifactBench } from './testing.ts'

let bench: ArtifactBench
let team: Awaited<ReturnType<ArtifactBench['aTeam']>>
beforeAll(async () => {
  bench = await openArtifactBench()
})
beforeEach(async () => {
  team = await bench.aTeam()
})
afterAll(() => bench.close())

describe('every step may be repeated, and arrive late', () => {
  // Small and deterministic, so that a failure can be seen again.
  function random(seed: number) {
    let state = seed
    return (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
  }

  test.each(Array.from({ length: 25 }, (_, seed) => seed))('in any order (seed %i)', async (seed) => {
    const below = random(seed + 1)
    const contents = { a: `a${seed}`, 'b/c': `b${below(3)}`, same: 'same' }
    const client = bench.saving(team.member, team, contents, {
      clientId: `client-${seed}`,
      aliases: ['latest', 'mine'],
    })
    const urls: { url: string; body: string }[] = []
    const steps: Record<string, () => Promise<unknown>> = {
      create: () => client.create(),
      holdPlace: () => client.holdPlace(),
      announceFiles: async () => {
        for (const [index, { uploadUrl }] of (await client.createFiles()).entries()) {
          if (uploadUrl) urls.push({ url: uploadUrl, body: client.files[index]!.content })
        }
      },
      announceManifest: async () => {
        const { uploadUrl } = await client.manifestPlace(md5Base64(client.manifest))
        urls.push({ url: uploadUrl!, body: client.manifest })
      },
      put: async () => {
        const one = urls[below(Math.max(1, urls.length))]
        if (one) await bench.put(one.url, one.body)
      },
      putWrong: async () => {
        const one = urls[below(Math.max(1, urls.length))]
        if (one) await bench.put(one.url, `${one.body} and more`)
      },
      commit: () => client.commit(),
    }
    const first = await client.create()
    const names = Object.keys(steps)
    for (let step = 0; step < 40; step++) {
      const several = Array.from({ length: 1 + below(3) }, () => steps[names[below(names.length)]!]!)
      // Steps that come too early or too late may be refused, never with a bug and never with harm.
      const results = await Promise.allSettled(several.map((run) => run()))
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'GridError' })
      }
    }
    // What a client does that goes through it from the beginning.
    const again = await client.create()
    expect(again.id).toBe(first.id)
    if (again.state !== 'committed') {
      await client.holdPlace()
      await client.sendFiles()
      await client.sendManifest()
    }
    const [committed, twice] = await Promise.all([client.commit(), client.commit()])
    expect(twice).toEqual(committed)
    expect(committed).toMatchObject({ id: first.id, state: 'committed', versionIndex: 0, fileCount: 3 })
    expect(committed.aliases).toEqual(['latest', 'mine'])
    expect(await bench.contentsOf(team.member, committed.id)).toEqual(contents)
    const keys = await bench.storedKeys(committed.collection.projectId)
    expect(keys.filter((key) => key.includes('/content/'))).toHaveLength(
      new Set(Object.values(contents)).size,
    )
    expect(keys.filter((key) => key.includes('/manifests/'))).toEqual([committed.manifestKey])
  })
})
