/**
 * A private project is its maker's and the admins' alone. A team mate, a viewer and a service account walk every endpoint
 * and every path of the GraphQL schema, once asking for what is private by its names and ids and once for the rest of the
 * team: of what stands in the private project no word may come back. New endpoints and fields are walked by themselves.
 */
import { createHash } from 'node:crypto'
import { contract, GridError, writeReport } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Actor } from '../server/src/actor.ts'
import { createSender } from '../server/src/datastores/testing.ts'
import { newId } from '../server/src/lib/ids.ts'
import { wandbSchema } from '../server/src/wandb/index.ts'
import { storageId } from '../server/src/wandb/words.ts'
import { startApp, type TestApp } from './support/app.ts'
import type { GraphQLInputType, GraphQLObjectType } from 'graphql'
import { printArtifactId } from '../server/src/artifacts/artifact.ts'
import { type Arguments, literalOf, waysThrough } from './support/documents.ts'

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let hidden: Place
let open: Place
/** Words and ids that nobody but the keeper and the admins may read. */
const secrets = new Set<string>()

/** What stands in one project, by the names that endpoints give to their inputs. */
type Place = Record<string, unknown> & {
  team: string
  project: string
  experiment: string
  experimentId: string
  sweep: string
  reportId: string
  artifactId: string
}

const lookers = ['mate', 'viewer', 'service'] as const

beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
  hidden = await aProject('canary')
  open = await aProject('plain')
  await acrossBoth()
  await team.admin.teams.setPrivacy({
    team: team.slug,
    project: { name: hidden.project, visibility: 'private' },
  })
  for (const key of ['project', 'experiment', 'experimentId', 'sweep', 'sweepId', 'reportId', 'artifactId'])
    secrets.add(String(hidden[key]))
  for (const key of ['collection', 'type']) secrets.add(String(hidden[key]))
}, 120_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

const actorOf = (person: { key: string }): Promise<Actor> =>
  app.teams.actors.ofKey(person.key, { origin: app.origin, client: 'wandb' })

/** A project of the member with something of everything in it, each called so that it is known again. */
async function aProject(word: string): Promise<Place> {
  let number = 0
  const called = (what: string) => {
    const text = `${word}${what}${(number += 1)}`
    if (word === 'canary') secrets.add(text)
    return text
  }
  const actor = await actorOf(team.member)
  const project = called('project')
  const slug = called('slug')
  await team.member.projects.create({ team: team.slug, name: project, description: called('about') })
  const ref = { team: team.slug, project, slug }
  const { experiment } = await app.experiments.upsert(actor, {
    ...ref,
    name: called('name'),
    notes: called('notes'),
    tags: [called('tag')],
    group: called('group'),
    jobType: called('job'),
    config: { [called('parameter')]: { value: called('value') } },
    host: called('host'),
    program: called('program'),
  })
  await app.experiments.append(actor, ref, {
    history: { offset: 0, lines: [JSON.stringify({ _step: 0, [called('metric')]: 1 })] },
    summary: { [called('summary')]: called('text') },
    console: {
      offset: 0,
      lines: [{ timeMs: null, level: 'info', label: '', text: called('line') }],
    },
  })
  await app.experiments.addAlert(actor, ref, {
    title: called('alert'),
    text: called('alerttext'),
    level: 'warn',
    waitSeconds: 0,
  })
  const path = called('file')
  const [file] = await app.experiments.uploadUrls(actor, ref, [path])
  await app.inject(new Request(file!.url, { method: 'PUT', body: called('content') }))
  const sweepMade = await app.sweeps.create(actor, {
    team: team.slug,
    project,
    configText: `{method: grid, name: ${called('sweep')}, metric: {name: loss, goal: minimize}, parameters: {${called('searched')}: {values: [1, 2]}}}`,
  })
  const agent = await app.sweeps.createAgent(
    actor,
    { team: team.slug, project, slug: sweepMade.sweep.slug },
    called('machine'),
  )
  await app.sweeps.heartbeat(actor, agent.id, [])
  const artifactId = await anArtifact(actor, ref, called)
  const report = await team.member.reports.create({
    team: team.slug,
    project,
    title: called('title'),
    description: called('reportabout'),
    spec: writeReport([{ kind: 'text', markdown: called('written') }]),
    publish: true,
  })
  await team.member.reports.comment({ reportId: report.id, text: called('comment') })
  await team.admin.alerts.createRule({
    team: team.slug,
    project,
    name: called('rule'),
    condition: { kind: 'state', states: ['failed'] },
  })
  const visibility = word === 'canary' ? 'private' : 'team'
  const { datastoreId } = await createSender(app).send(
    team.member,
    team.slug,
    called('store'),
    { [called('stored')]: 'x' },
    { visibility },
  )
  // Said in words of the team's activity: who did what.
  await team.admin.experiments.change({ team: team.slug, project, experiment: slug, notes: called('noted') })
  return {
    team: team.slug,
    project,
    experiment: slug,
    experimentId: experiment.id,
    experimentIds: [experiment.id],
    sweep: sweepMade.sweep.slug,
    sweepId: sweepMade.sweep.id,
    reportId: report.id,
    artifactId,
    datastoreId,
    collection: `${word}collection`,
    type: `${word}type`,
    version: 'v0',
    ref: `${team.slug}/${project}/${slug}`,
    keys: ['loss'],
    person: team.member.username,
    username: team.member.username,
    path,
    // What endpoints want before they look.
    description: 'other',
    title: 'other',
    text: 'other',
    name: 'other',
    spec: writeReport([]),
    share: 'none',
    follow: true,
    commentId: newId(),
    linkId: newId(),
    action: 'stop',
    config: '{method: grid, parameters: {a: {value: 1}}}',
    to: { team: team.slug, project },
    overrides: {},
    files: [],
  }
}

async function anArtifact(
  actor: Actor,
  ref: { team: string; project: string; slug: string },
  called: (what: string) => string,
): Promise<string> {
  const content = called('bytes')
  const md5 = (text: string) => createHash('md5').update(text).digest('base64')
  const path = called('artifactfile')
  const manifest = JSON.stringify({
    version: 1,
    storagePolicy: 'wandb-storage-policy-v1',
    storagePolicyConfig: { storageLayout: 'V2' },
    contents: { [path]: { digest: md5(content), size: content.length } },
  })
  const collection = `${content.replace(/bytes\d+$/, '')}collection`
  const { id } = await app.artifacts.createArtifact(actor, {
    team: ref.team,
    project: ref.project,
    experiment: ref.slug,
    collection,
    type: `${content.replace(/bytes\d+$/, '')}type`,
    digest: md5(manifest),
    description: called('artifactabout'),
    aliases: ['latest', called('alias')],
    tags: [called('artifacttag')],
    metadata: { [called('metakey')]: called('metavalue') },
  } as never)
  const [place] = await app.artifacts.createFiles(actor, [
    { artifactId: id, name: path, digest: md5(content) } as never,
  ])
  await app.inject(new Request(place!.uploadUrl!, { method: 'PUT', body: content }))
  const { uploadUrl } = await app.artifacts.createManifest(actor, {
    artifactId: id,
    baseArtifactId: null,
    name: 'wandb_manifest.json',
    type: 'FULL',
    digest: md5(manifest),
  })
  await app.inject(new Request(uploadUrl!, { method: 'PUT', body: manifest }))
  await app.artifacts.commitArtifact(actor, id)
  return id
}

/** What leads from what all see to what is private: artifacts used and linked there, panels, moves. */
async function acrossBoth(): Promise<void> {
  const actor = await actorOf(team.member)
  const at = (place: Place) => ({ team: team.slug, project: place.project, slug: place.experiment })
  await app.artifacts.useArtifact(actor, { artifactId: open.artifactId, experiment: at(hidden) } as never)
  await app.artifacts.useArtifact(actor, { artifactId: hidden.artifactId, experiment: at(open) } as never)
}

/** What is behind links, and what was written over. */
const elsewhere = /^canary(content|bytes|notes)\d+$/

type Call = (input: object) => Promise<unknown>

/** What somebody hears, an answer or a refusal, as text. */
async function heard(act: () => Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    return { code: 'ok', text: JSON.stringify((await act()) ?? null) }
  } catch (error) {
    if (!(error instanceof GridError)) throw error
    return { code: error.code, text: error.message }
  }
}

/** Secrets that an answer holds and the question did not. */
function leaked(answer: string, question: string): string[] {
  return [...secrets].filter((secret) => answer.includes(secret) && !question.includes(secret))
}

const names = (question: string) => [...secrets].some((secret) => question.includes(secret))

/** The same question about what has never been there. */
function aboutNothing<Question>(question: Question): Question {
  let text = JSON.stringify(question)
  const neverThere = `neverthere${(asked += 1)}x`
  for (const secret of longestFirst())
    text = text.replaceAll(secret, /^[0-9a-f-]{36}$/.test(secret) ? nothing : neverThere)
  return JSON.parse(text) as Question
}

/** A refusal without the names that were asked for. */
function neutral(text: string): string {
  for (const secret of [...longestFirst(), nothing]) text = text.replaceAll(secret, '…')
  return text.replaceAll(/neverthere\d+x/g, '…')
}

const nothing = '01900000-0000-7000-8000-000000000000'
let asked = 0
const longestFirst = () => [...secrets].toSorted((a, b) => b.length - a.length)

type Endpoint = { '~orpc': { route: { method?: string }; inputSchema?: { shape?: object } } }

/** POST for the length of what is asked; they change nothing. */
const askingPosts = ['query', 'keys', 'curves', 'media', 'sharedPanels', 'shared']

const endpoints = Object.entries(contract).flatMap(([noun, verbs]) =>
  Object.entries(verbs as unknown as Record<string, Endpoint>).map(
    ([
      verb,
      {
        '~orpc': { route, inputSchema },
      },
    ]) => ({
      name: `${noun}.${verb}`,
      noun,
      verb,
      reads: route.method === 'GET' || askingPosts.includes(verb),
      fields: Object.keys(inputSchema?.shape ?? {}),
    }),
  ),
)

function inputOf(noun: string, fields: readonly string[], place: Partial<Place>): object {
  const numbered = noun === 'datastores' ? { ...place, version: 1 } : place
  const given = fields.map((field) => [field, numbered[field]]).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given)
}

const nounsOf = (role: (typeof lookers)[number] | 'member') =>
  team[role] as unknown as Record<string, Record<string, Call>>

async function findings(
  role: (typeof lookers)[number],
  chosen: (endpoint: (typeof endpoints)[number]) => boolean,
  places: Partial<Place>[],
): Promise<{ found: string[]; aboutHidden: number }> {
  const found: string[] = []
  let aboutHidden = 0
  for (const { name, noun, verb, fields } of endpoints.filter(chosen)) {
    const call = nounsOf(role)[noun]![verb]!
    for (const place of places) {
      const input = inputOf(noun, fields, place)
      const question = JSON.stringify(input)
      const { code, text } = await heard(() => call(input))
      const leaks = leaked(text, question)
      if (leaks.length > 0) found.push(`${name} ${question} tells ${leaks.join()}`)
      if (!names(question)) continue
      aboutHidden += 1
      const other = await heard(() => call(aboutNothing(input)))
      if (code === other.code && neutral(text) === neutral(other.text)) continue
      // A project of a new name is made with what is put into it.
      if (code === 'not_found' && other.code === 'ok' && /"project"/.test(question)) continue
      found.push(`${name} ${question} answers ${code} ${text}, and about nothing ${other.code} ${other.text}`)
    }
  }
  return { found, aboutHidden }
}

describe.each(lookers)('as %s', (role) => {
  test('no endpoint that reads tells anything', async () => {
    const { found, aboutHidden } = await findings(role, ({ reads }) => reads, [
      hidden,
      open,
      { team: team.slug },
    ])
    expect(found).toEqual([])
    expect(aboutHidden).toBeGreaterThan(30)
  })

  test('changing anything of it is answered as if it were not there', async () => {
    const { found, aboutHidden } = await findings(role, ({ reads }) => !reads, [hidden])
    expect(found).toEqual([])
    expect(aboutHidden).toBeGreaterThan(20)
  })
})

test('its keeper is told all of it, so that the walk above would find it', async () => {
  let all = ''
  for (const { noun, verb, fields } of endpoints.filter(({ reads }) => reads))
    all += (await heard(() => nounsOf('member')[noun]![verb]!(inputOf(noun, fields, hidden)))).text
  expect([...secrets].filter((secret) => !all.includes(secret) && !elsewhere.test(secret))).toEqual([])
})

describe('through GraphQL', () => {
  const schema = wandbSchema({
    access: app?.access,
    teams: app?.teams,
    experiments: app?.experiments,
  } as never)
  /** Other names for what is walked anyway. */
  const sameAsOthers = new Set(['model', 'models', 'bucket', 'buckets', 'viewer'])
  /** Deep enough for what hangs on a run or an artifact of a project of a team. */
  const depthMax = 5

  function documentsAbout(place: Place, root: GraphQLObjectType, kind: 'query' | 'mutation'): string[] {
    const known = {
      entity: place.team,
      entityName: place.team,
      teamName: place.team,
      project: place.project,
      projectName: place.project,
      modelName: place.project,
      run: place.experiment,
      runName: place.experiment,
      sweep: place.sweep,
      sweepName: place.sweep,
      artifactCollectionName: String(place['collection']),
      collectionName: String(place['collection']),
      artifactTypeName: String(place['type']),
      state: 'failed',
      after: '',
      cursor: '',
    }
    const ids = {
      run: storageId('Run', place.experimentId),
      artifact: printArtifactId(place.artifactId),
      artifactCollection: String(place['collection']),
      view: storageId('View', place.reportId),
    }
    const argsOf = (field: string, given: readonly (readonly [string, GraphQLInputType])[]) => {
      const about: Arguments = { ...known, id: ids[field as keyof typeof ids] ?? ids.run }
      // Called by what they find: a project by its name, an experiment by its own.
      about['name'] = /project|model/i.test(field)
        ? place.project
        : /artifact|collection/i.test(field)
          ? `${String(place['collection'])}:v0`
          : field === 'entity'
            ? place.team
            : place.experiment
      about['artifactID'] = ids.artifact
      const said = given
        .map(([name, type]) => [name, literalOf(type, name, about)] as const)
        .filter(([name, value]) => value !== undefined && !/^filters?$|^order$|^names?Filter$/.test(name))
      return said.length === 0 ? '' : `(${said.map(([name, value]) => `${name}: ${value}`).join(', ')})`
    }
    return (
      [...waysThrough(root, argsOf, kind === 'query' ? depthMax : 3)]
        .filter(({ path }) => !path.some((field) => sameAsOthers.has(field)))
        // What hangs on a project is walked from the project itself.
        .filter(({ path }) => path.length < 4 || !['view', 'entity', 'organization'].includes(path[0]!))
        .map(({ document }) => `${kind} { ${document} }`)
    )
  }

  async function ask(person: { key?: string; cookie?: string }, query: string): Promise<string> {
    const answer = await app.inject(
      new Request(`${app.origin}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(person.cookie
            ? { cookie: person.cookie, origin: app.origin }
            : { authorization: `Bearer ${person.key}` }),
        },
        body: JSON.stringify({ query }),
      }),
    )
    return unpacked(await answer.text())
  }

  /** With what the client's ids hold. */
  function unpacked(text: string): string {
    return text.replaceAll(/"([A-Za-z0-9+/]{16,}={0,2})"/g, (whole, id: string) => {
      const decoded = Buffer.from(id, 'base64').toString()
      return /^\w+:[\w:-]+$/.test(decoded) ? JSON.stringify(decoded) : whole
    })
  }

  test('no way through the schema leads there', { timeout: 120_000 }, async () => {
    const found: string[] = []
    for (const place of [hidden, open])
      for (const document of documentsAbout(place, schema.getQueryType()!, 'query')) {
        const leaks = leaked(await ask(team.mate, document), unpacked(document))
        if (leaks.length > 0) found.push(`${document} tells ${leaks.join()}`)
      }
    expect(found).toEqual([])
  })

  test('its keeper finds it on those ways', { timeout: 120_000 }, async () => {
    let all = ''
    for (const document of documentsAbout(hidden, schema.getQueryType()!, 'query'))
      if (/^query \{ (project|artifact|view)\(/.test(document)) all += await ask(team.member, document)
    const missed = [...secrets].filter((secret) => !all.includes(secret) && !elsewhere.test(secret))
    // What the client asks for by other ways: alerts, files and comments.
    expect(
      missed.filter(
        (secret) => !/^canary(alert|alerttext|file|artifactfile|comment|store|stored)\d+$/.test(secret),
      ),
    ).toEqual([])
  })

  test.each(lookers)('a %s changes nothing there', { timeout: 120_000 }, async (role) => {
    const before = await stateOfHidden()
    for (const document of documentsAbout(hidden, schema.getMutationType()!, 'mutation'))
      expect(leaked(await ask(team[role], document), unpacked(document))).toEqual([])
    expect(await stateOfHidden()).toEqual(before)
  })

  async function stateOfHidden(): Promise<unknown> {
    const { id } = (await app.teams.findProjectGuard(team.slug, hidden.project))!
    const of = (name: 'experiments' | 'sweeps' | 'views') =>
      app.db
        .selectFrom(name as 'experiments')
        .selectAll()
        .where('project_id', '=', id)
        .orderBy('id')
        .execute()
    return {
      experiments: await of('experiments'),
      sweeps: await of('sweeps'),
      views: await of('views'),
      artifacts: await app.db
        .selectFrom('artifacts')
        .selectAll()
        .where('id', '=', hidden.artifactId)
        .execute(),
    }
  }
})
