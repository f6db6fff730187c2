/** How each action of the permission table is done through each door, where it exists there today. */
import type { Action } from '@teamgrid/api'
import { randomText } from '../../server/src/lib/ids.ts'
import { storageId } from '../../server/src/wandb/words.ts'
import { type Cast, type Outcome, outcomeOf, type Thing, tried, type World } from './world.ts'

export type Door = Partial<Record<Action, (world: World, column: Cast) => Promise<Outcome>>>

const ref = (world: World, thing: Thing) => ({
  team: world.team,
  project: thing.project,
  experiment: thing.slug,
})

type Ask = (given: {
  world: World
  client: World['people']['O']
  team: { team: string }
  ref: { team: string; project: string; experiment: string }
  thing: Thing
  /** By their names, as endpoints want them. */
  sweep: { team: string; project: string; sweep: string }
  report: { reportId: string }
  datastore: { datastoreId: string; version: number }
  artifact: { team: string; project: string; collection: string; version: string }
  column: Cast
}) => Promise<unknown>

const rest =
  (ask: Ask) =>
  (world: World, column: Cast): Promise<Outcome> => {
    const thing = world.thing(column)
    const client = world.people[column]
    const { sweep, reportId, datastoreId, collection } = world.more(column)
    const at = { team: world.team, project: thing.project }
    return tried(() =>
      ask({
        world,
        client,
        team: { team: world.team },
        ref: ref(world, thing),
        thing,
        sweep: { ...at, sweep },
        report: { reportId },
        datastore: { datastoreId, version: 1 },
        artifact: { ...at, collection, version: 'v0' },
        column,
      }),
    )
  }

const consuming =
  (
    ask: (
      client: World['people']['O'],
      ref: { team: string; project: string; experiment: string },
    ) => Promise<unknown>,
  ) =>
  (world: World, column: Cast): Promise<Outcome> =>
    world.consume(column, (thing) => tried(() => ask(world.people[column], ref(world, thing))))

const nobody = 'nobody-here'

export const restDoor: Door = {
  'team:read': rest(({ client, team }) => client.teams.get(team)),
  'member:read': rest(({ client, team }) => client.teams.members(team)),
  'team:create': rest(({ client }) => client.teams.create({ slug: `x${randomText(8)}` })),
  'member:invite': rest(({ client, team }) => client.teams.invite(team)),
  'member:remove': rest(({ client, team }) => client.teams.removeMember({ ...team, username: nobody })),
  'team:leave': rest(({ client, team }) => client.teams.removal({ ...team, username: client.username })),
  'member:edit': rest(({ client, team }) =>
    client.teams.changeMember({ ...team, username: nobody, role: 'member' }),
  ),
  'member:reassign': rest(({ client, team }) =>
    client.teams.reassign({ ...team, username: nobody, to: nobody }),
  ),
  'service:create': rest(({ client, team }) => client.teams.serviceKeys({ ...team, username: nobody })),
  'service:revoke': rest(({ client, team }) =>
    client.teams.rotateServiceKey({
      ...team,
      username: nobody,
      keyId: '01900000-0000-7000-8000-000000000000',
    }),
  ),
  'privacy:read': rest(({ client, team }) => client.teams.privacy(team)),
  'privacy:edit': rest(({ client, team }) => client.teams.setPrivacy({ ...team, codeSaving: true })),
  'team:settings': rest(({ client, team }) => client.teams.change({ ...team, name: 'Same' })),
  'policy:edit': rest(({ client, team }) => client.teams.setPolicy({ ...team, overrides: {} })),
  'project:read': rest(({ client, ref: { team, project } }) => client.projects.get({ team, project })),
  'project:create': rest(({ client, team }) =>
    client.projects.create({ ...team, name: `p${randomText(8)}` }),
  ),
  'project:delete': rest(async ({ client, world, team }) => {
    const name = `p${randomText(8)}`
    await world.people.TA.projects.create({ ...team, name })
    await client.projects.delete({ ...team, project: name })
  }),
  'experiment:read': rest(({ client, ref: at }) => client.experiments.get(at)),
  'file:read': rest(({ client, ref: at }) => client.experiments.files(at)),
  'metric:read': rest(({ client, thing }) =>
    client.experiments.curves({ experimentIds: [thing.id], keys: ['loss'] }),
  ),
  'media:read': rest(({ client, ref: at }) => client.experiments.media({ ...at, keys: ['image'] })),
  'log:read': rest(({ client, ref: at }) => client.experiments.console(at)),
  'experiment:edit': rest(({ client, ref: at, thing }) =>
    client.experiments.change({ ...at, name: thing.name }),
  ),
  'experiment:annotate': rest(({ client, ref: at }) => client.experiments.change({ ...at, notes: 'Same' })),
  'experiment:stop': rest(({ client, ref: at }) => client.experiments.stop(at)),
  'experiment:delete': consuming((client, at) => client.experiments.delete(at)),
  'balance:read': rest(({ client, team }) => client.usage.balance(team)),
  'usage:read': rest(({ client, team }) => client.usage.table(team)),
  'credit:add': rest(({ client, team }) => client.usage.addCredit({ ...team, microcredits: 1 })),
  'budget:edit': rest(({ client, team }) => client.usage.setRules({ ...team, lowMicrocredits: 10_000_000 })),
  'rate:edit': rest(({ client }) => client.usage.setRate({ machine: 'nothing', microcreditsPerHour: 0 })),
  'experiment:delete-moved': (world, column) =>
    world.consume(
      column,
      async (thing) => {
        await world.moved(thing.id)
        return tried(() => world.people[column].experiments.delete(ref(world, thing)))
      },
      'moved here',
    ),
  // To where it is already: permission is asked, and nothing goes away.
  'experiment:move': rest(({ client, thing, team: { team } }) =>
    client.experiments.move({ experimentIds: [thing.id], to: { team, project: thing.project } }),
  ),
  'project:edit': rest(({ client, ref: { team, project } }) =>
    client.projects.change({ team, project, description: 'Same' }),
  ),
  'run:read': rest(({ client, sweep }) => client.sweeps.get(sweep)),
  'run:create': rest(({ client, ref: { team, project } }) =>
    client.sweeps.create({ team, project, config: '{method: grid, parameters: {a: {value: 1}}}' }),
  ),
  'run:edit': rest(({ client, sweep }) => client.sweeps.change({ ...sweep, description: 'Same' })),
  'run:stop': rest(({ client, sweep }) => client.sweeps.steer({ ...sweep, action: 'stop' })),
  'sweep:delete': rest(async ({ world, client, column, sweep }) =>
    client.sweeps.delete({ ...sweep, sweep: await world.aSpareSweep(column) }),
  ),
  'report:read': rest(({ client, report }) => client.reports.get(report)),
  'report:create': rest(({ client, ref: { team, project } }) =>
    client.reports.create({ team, project, title: 'Another', publish: false }),
  ),
  'report:edit': rest(({ client, report }) => client.reports.discard(report)),
  'report:comment': rest(({ client, report }) => client.reports.comment({ ...report, text: 'Hm' })),
  'report:follow': rest(({ client, report }) => client.reports.follow({ ...report, follow: true })),
  'report:delete': rest(({ client, report }) => client.reports.share({ ...report, share: 'none' })),
  'datastore:read': rest(({ client, datastore }) => client.datastores.get(datastore)),
  'datastore:browse': rest(({ client, datastore }) => client.datastores.files(datastore)),
  'datastore:create': rest(({ client, team }) =>
    client.datastores.startUpload({ ...team, name: `u${randomText(8)}` }),
  ),
  'datastore:edit': rest(({ client, datastore: { datastoreId } }) =>
    client.datastores.change({ datastoreId, description: 'Same' }),
  ),
  // Into the trash and out of it again: nothing is lost.
  'datastore:delete': rest(({ client, datastore }) => client.datastores.restore(datastore)),
  'artifact:read': rest(({ client, artifact }) => client.artifacts.get(artifact)),
  'artifact:edit': rest(({ client, artifact }) =>
    client.artifacts.change({ ...artifact, description: 'Same' }),
  ),
  // It has an alias, so it is kept, after permission was asked.
  'artifact:delete': rest(({ client, artifact }) => client.artifacts.delete({ ...artifact, aliases: false })),
  'alert:manage': rest(({ client, team }) => client.alerts.deliveries(team)),
  'org:users': rest(({ client }) => client.users.list({})),
  'org:keys': rest(({ client }) => client.users.keys({ username: nobody })),
  'org:settings': rest(({ client }) => client.instance.change({})),
  'policy:lock': rest(({ client }) => client.organisation.setLocks({ locks: {} })),
  'billing:edit-info': rest(({ client }) => client.organisation.changeBilling({})),
  'billing:edit-plan': rest(({ client }) => client.organisation.changePlan({})),
}

const grid =
  (argv: (world: World, thing: Thing) => string[]) =>
  async (world: World, column: Cast): Promise<Outcome> =>
    said(await world.grid(column, ...argv(world, world.thing(column)), '-o', 'json'))

/** Errors are one line of JSON on stderr, after whatever was asked. */
function said({ code, err }: { code: number; err: string }): Outcome {
  if (code === 0) return 'yes'
  const line = err
    .trimEnd()
    .split('\n')
    .findLast((each) => each.startsWith('{'))
  const { error } = JSON.parse(line ?? '{}') as { error: { code: string; message: string } }
  const outcome = outcomeOf(
    error.code,
    // Commands that look for a thing first say themselves that there is none.
    /^There is no experiment|^Team \S+ not found/.test(error.message)
      ? 'No such thing, or it is not yours to see'
      : error.message,
  )
  // What scripts rely on: refused is 1, not there is 4.
  const exit = { yes: code, forbidden: 1, policy_denied: 1, not_found: 4, unauthenticated: 3 }[outcome]
  if (code !== exit) throw new Error(`${outcome} ended with ${code}: ${err}`)
  return outcome
}

export const cliDoor: Door = {
  'team:read': grid(({ team }) => ['team', team]),
  'team:create': grid(() => ['team', 'create', `x${randomText(8)}`]),
  'member:invite': grid(({ team }) => ['team', 'invite', team]),
  'member:remove': grid(({ team }) => ['team', 'remove', team, nobody]),
  // Nobody is at the terminal to say yes, so everybody stays.
  'team:leave': grid(({ team }) => ['team', 'leave', team]),
  'member:edit': grid(({ team }) => ['team', 'role', team, nobody, 'member']),
  'member:reassign': grid(({ team }) => ['team', 'reassign', team, nobody, nobody]),
  'service:create': grid(({ team }) => ['team', 'service-account', 'keys', team, nobody]),
  'experiment:read': grid((_, { owner, name }) => ['status', `${owner}:${name}`]),
  'log:read': grid((_, { owner, name }) => ['logs', `${owner}:${name}`]),
  'file:download': grid((_, { owner, name }) => ['artifacts', `${owner}:${name}`]),
  'experiment:stop': grid((_, { owner, name }) => ['stop', 'experiment', `${owner}:${name}`, '--yes']),
  'experiment:move': grid(({ team }, { owner, name, project }) => [
    'move',
    `${owner}:${name}`,
    '--to',
    `${team}/${project}`,
    '--yes',
  ]),
  'run:read': (world, column) =>
    grid(() => ['sweep', 'show', `${world.team}/${world.thing(column).project}/${world.more(column).sweep}`])(
      world,
      column,
    ),
  'run:stop': (world, column) =>
    grid(() => [
      'sweep',
      'stop',
      `${world.team}/${world.thing(column).project}/${world.more(column).sweep}`,
      '--yes',
    ])(world, column),
  'experiment:delete': (world, column) =>
    world.consume(column, async ({ owner, name }) =>
      said(await world.grid(column, 'delete', 'experiment', `${owner}:${name}`, '--yes', '-o', 'json')),
    ),
}

async function graphql(world: World, column: Cast, query: string, variables: object): Promise<Outcome> {
  const { app, people } = world
  const { key, cookie } = people[column]
  const answer = await app.inject(
    new Request(`${app.origin}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(cookie ? { cookie, origin: app.origin } : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({ query, variables }),
    }),
  )
  const { data, errors } = (await answer.json()) as {
    data?: Record<string, unknown> | null
    errors?: { message: string }[]
  }
  if (errors?.length) return spoken(answer.status, errors[0]!.message)
  const first = Object.values(data ?? {})[0]
  return first === null ? 'not_found' : 'yes'
}

/** The client hears a status and a sentence. */
function spoken(status: number, message: string): Outcome {
  if (status === 401) return 'unauthenticated'
  if (message.startsWith('Warning: ')) return message.includes('olicy "') ? 'policy_denied' : 'forbidden'
  if (status === 404 || /^(No such thing|There is no (team|run))/.test(message)) return 'not_found'
  if (status === 400 || status === 403 || status === 200) return 'yes'
  throw new Error(`Neither done nor refused: ${status} ${message}`)
}

const asking =
  (query: string, variables: (world: World, thing: Thing) => object) =>
  (world: World, column: Cast): Promise<Outcome> =>
    graphql(world, column, query, variables(world, world.thing(column)))

export const wandbDoor: Door = {
  'project:read': asking(
    'query P($name: String!, $entity: String!) { project(name: $name, entityName: $entity) { id } }',
    ({ team }, { project }) => ({ name: project, entity: team }),
  ),
  'experiment:create': asking(
    `mutation U($name: String, $project: String, $entity: String) {
      upsertBucket(input: { name: $name, modelName: $project, entityName: $entity }) { bucket { id } } }`,
    ({ team }, { project }) => ({ name: `n${randomText(8)}`, project, entity: team }),
  ),
  'project:create': asking(
    `mutation M($name: String!, $entity: String!) {
      upsertModel(input: { name: $name, entityName: $entity }) { model { id } } }`,
    ({ team }) => ({ name: `p${randomText(8)}`, entity: team }),
  ),
  'experiment:edit': asking(
    'mutation E($id: String) { upsertBucket(input: { id: $id, displayName: "Same" }) { bucket { id } } }',
    (_, { id }) => ({ id: storageId('Run', id) }),
  ),
  'experiment:log': async (world, column) => {
    const { app, team, people } = world
    const { project, slug } = world.thing(column)
    const { key, cookie } = people[column]
    const answer = await app.inject(
      new Request(`${app.origin}/files/${team}/${project}/${slug}/file_stream`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(cookie ? { cookie, origin: app.origin } : { authorization: `Bearer ${key}` }),
        },
        body: '{}',
      }),
    )
    if (answer.ok) return 'yes'
    const body = (await answer.json()) as { error: string }
    return spoken(answer.status, body.error)
  },
  'experiment:stop': asking(
    'mutation S($id: ID!) { stopRun(input: { id: $id }) { success } }',
    (_, { id }) => ({ id: storageId('Run', id) }),
  ),
  'experiment:delete': (world, column) =>
    world.consume(column, ({ id }) =>
      graphql(world, column, 'mutation D($id: ID!) { deleteRun(input: { id: $id }) { clientMutationId } }', {
        id: storageId('Run', id),
      }),
    ),
}
