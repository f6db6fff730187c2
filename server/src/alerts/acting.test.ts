/** The owner of an experiment hears what others do to it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startApp, type TestApp } from '../../../tests/support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startApp()
})
afterAll(async () => {
  expect(app?.errors).toEqual([])
  await app?.close()
})

async function anExperiment() {
  const team = await app.aTeam()
  const actor = await app.teams.actors.ofKey(team.member.key, { origin: app.origin, client: 'wandb' })
  await app.experiments.upsert(actor, { team: team.slug, project: 'vision', slug: 'mine', name: 'mine' })
  return { team, ref: { team: team.slug, project: 'vision', experiment: 'mine' } }
}

const titles = async (person: { notifications: TestApp['operator']['notifications'] }) =>
  (await person.notifications.list({})).items.map((each) => each.title)

test('what a team mate or an admin does is told, and stands in the log with what was before', async () => {
  const { team, ref } = await anExperiment()
  await team.mate.experiments.change({ ...ref, notes: 'Better than mine' })
  await team.mate.experiments.stop(ref)
  await team.admin.experiments.delete(ref)
  expect(await titles(team.member)).toEqual([
    `${team.admin.username} deleted mine`,
    `${team.mate.username} asked mine to stop`,
    `${team.mate.username} edited mine`,
  ])
  const { items } = await team.admin.teams.activity({ team: team.slug, limit: 10 })
  expect(items.find((each) => each.action === 'experiment:edit')).toMatchObject({
    actor: { username: team.mate.username },
    details: { notes: 'Better than mine', before: { notes: '' } },
  })
})

test('one’s own doing is not told, and what was refused tells nobody', async () => {
  const { team, ref } = await anExperiment()
  await expect(team.mate.experiments.delete(ref)).rejects.toMatchObject({ code: 'policy_denied' })
  await team.member.experiments.change({ ...ref, notes: 'Mine' })
  await team.member.experiments.stop(ref)
  expect(await titles(team.member)).toEqual([])
})
