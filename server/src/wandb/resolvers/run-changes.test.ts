import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../../tests/support/app.ts'
import { storageId } from '../words.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
}, 60_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

async function remove(key: string, id: string): Promise<{ message?: string; success?: boolean }> {
  const answer = await app.inject(
    new Request(`${app.origin}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation DeleteRun($id: ID!) { deleteRun(input: {id: $id}) { success } }',
        variables: { id: storageId('Run', id) },
      }),
    }),
  )
  const { data, errors } = (await answer.json()) as {
    data: { deleteRun: { success: boolean } | null }
    errors?: { message: string }[]
  }
  return { ...(errors ? { message: errors[0]!.message } : {}), ...data.deleteRun }
}

test('a run is deleted by who may, and deleting it again is no trouble for them alone', async () => {
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  const { experiment } = await app.experiments.upsert(actor, { team: team.slug, project: 'p', slug: 'r' })
  const never = await remove(team.outsider.key, '01900000-0000-7000-8000-000000000000')
  expect(never.message).toContain('no run with this id')
  expect(await remove(team.outsider.key, experiment.id)).toEqual(never)
  expect(await remove(team.member.key, experiment.id)).toEqual({ success: true })
  expect(await remove(team.member.key, experiment.id)).toEqual({ success: true })
  expect(await remove(team.outsider.key, experiment.id)).toEqual(never)
  expect(await remove(team.removed.key, experiment.id)).toEqual(never)
})
