/**
 * Every GraphQL document inside the installed clients is executed against real things, not only validated: a field that
 * nobody resolves, and an error that is a bug, fail the suite.
 */
import { createHash, randomBytes } from 'node:crypto'
import {
  execute,
  getNamedType,
  type GraphQLFieldResolver,
  isObjectType,
  Kind,
  parse,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Actor } from '../../server/src/actor.ts'
import { answerOf } from '../../server/src/wandb/errors.ts'
import { type WandbDeps, wandbSchema } from '../../server/src/wandb/index.ts'
import { numberedId, readStorageId, storageId } from '../../server/src/wandb/words.ts'
import { startApp, type TestApp } from '../support/app.ts'
import { part } from '../support/parts.ts'
import { type EnvironmentName, venv } from '../support/python.ts'
import { type ClientDocument, clientDocuments } from './documents.ts'
import { variablesFor, type World } from './variables.ts'

const versions: EnvironmentName[] = [
  'wandb-latest',
  'wandb-0.28.2',
  'wandb-0.25.1',
  'wandb-0.22.3',
  'wandb-0.22.0',
]
const pythons = await Promise.all(versions.map((name) => part(name, () => venv(name))))

/** Parts of answers that are null or empty here, so nothing below them is asked. */
const unreached =
  /^(__\w+|RampFeatureFlag|TagEdge|ArtifactEdge|QueueJobTriggeredAction|TriggerRunQueue|ARIATriggeredAction|ProjectTeamMember|Organization)\.|^User\.organizations$|^Member\.role$/

/** Changes after which their world is of no use to others. */
const wrecking = /delete|rename|rewind|unlink|move|(?:Sequence|Collection)Type|commit|RunState|Multipart/i

let app: TestApp
let team: Awaited<ReturnType<TestApp['aTeam']>>
let actor: Actor
let schema: ReturnType<typeof wandbSchema>
const documents = new Map<string, ClientDocument>()
/** `Type.field` of what was resolved, and of what nobody resolved. */
const resolved = new Set<string>()
const missing = new Map<string, string>()

beforeAll(async () => {
  app = await startApp()
  team = await app.aTeam()
  await app.operator.users.change({ username: team.admin.username, organisationRole: 'admin' })
  actor = await app.teams.actors.ofKey(team.admin.key, { origin: app.origin, client: 'wandb' })
  schema = wandbSchema({ ...app, authenticate: async () => actor } as unknown as WandbDeps)
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    for (const field of Object.values(type.getFields())) {
      const inner = field.resolve
      if (!inner) continue
      field.resolve = (...given) => {
        resolved.add(`${type.name}.${field.name}`)
        return inner(...given)
      }
    }
  }
  await someAutomations()
  for (const python of pythons) {
    if (!python) continue
    for (const document of await clientDocuments(python))
      documents.set(document.text.replaceAll(/\s+/g, ' '), document)
  }
}, 240_000)
afterAll(async () => {
  expect(app.errors).toEqual([])
  await app.close()
})

/** Instead of graphql's own: a property that is not there is a field that nobody resolves. */
const strict: GraphQLFieldResolver<unknown, unknown> = (parent, _args, _context, info) => {
  const name = `${info.parentType.name}.${info.fieldName}`
  const value = (parent as Record<string, unknown> | null)?.[info.fieldName]
  if (value === undefined && info.parentType !== schema.getQueryType()) {
    if (info.fieldName !== 'clientMutationId') missing.set(name, info.operation.name?.value ?? '')
  }
  resolved.add(name)
  return typeof value === 'function' ? (value as () => unknown)() : value
}

async function ask(text: string, variables: Record<string, unknown>, as = actor) {
  return await execute({
    schema,
    document: parse(text),
    variableValues: variables,
    contextValue: { actor: as, shared: false },
    fieldResolver: strict,
  })
}

/** One of each kind that the client knows: to Slack, to a webhook, to nobody. */
async function someAutomations(): Promise<void> {
  const to = { team: team.slug, target: 'https://hooks.example.org/x' }
  const slack = await team.admin.alerts.createChannel({ ...to, name: 'slack', kind: 'slack' })
  const webhook = await team.admin.alerts.createChannel({ ...to, name: 'hook', kind: 'webhook' })
  for (const [index, channelIds] of [[slack.id], [webhook.id], []].entries()) {
    await team.admin.alerts.createRule({
      team: team.slug,
      name: `rule ${index}`,
      condition: { kind: 'threshold', metric: 'loss', operator: 'gt', value: 100 },
      audience: 'nobody',
      channelIds,
    })
  }
}

let worlds = 0

/** A project of its own with a run that logged, its files, artifacts and what else the text is about, all without one. */
async function aWorld(text = ''): Promise<World> {
  const project = `p${(worlds += 1)}`
  const runName = 'run1'
  const ref = { team: team.slug, project, slug: runName }
  const { experiment } = await app.experiments.upsert(actor, {
    ...ref,
    name: 'Run one',
    group: 'g',
    jobType: 'train',
    notes: 'n',
    tags: ['a'],
    commit: 'abc',
    config: { lr: { value: 0.1 }, _wandb: { value: { t: { 1: [] } } } },
  })
  await app.experiments.append(actor, ref, {
    history: {
      offset: 0,
      lines: ['{"_step":0,"_runtime":1,"_timestamp":1,"loss":1}', '{"_step":1,"loss":0.5}'],
    },
    system: { offset: 0, lines: ['{"_runtime":1,"_timestamp":1,"system.cpu":5}'] },
    console: { offset: 0, lines: [{ timeMs: 1, level: 'info', label: '', text: 'hello' }] },
    summary: { loss: 0.5 },
  })
  const [upload] = await app.experiments.uploadUrls(actor, ref, ['output.log'])
  await app.inject(new Request(upload!.url, { method: 'PUT', body: 'hello' }))
  const artifact = await anArtifact(project, runName)
  const pending = await anArtifact(project, runName, 'pending')
  const isAbout = (word: RegExp) => text === '' || word.test(text)
  const portfolio = isAbout(/portfolio|unlink/i) ? await aLink(project, artifact.id) : undefined
  const swept = isAbout(/sweep|agent/i) ? await aSweep(project) : undefined
  const inParts = isAbout(/multipart/i) ? await anUploadInParts(pending.id) : undefined
  const registry = await aRegistry()
  const key = await app.teams.createMyKey(actor, 'spare')
  const guest = await app.teams.invite(actor, team.slug, {
    email: `g${hex(6)}@example.org`,
    role: 'member',
    expiresInDays: 1,
  })
  await app.teams.revokeMyKey(actor, key.id).catch(() => {})
  const { data } = (await ask(
    `query($e: String, $p: String, $r: String!) { project(name: $p, entityName: $e) { id run(name: $r) { id files(first: 1) { edges { node { id } } } } } }`,
    { e: team.slug, p: project, r: runName },
  )) as {
    data: { project: { id: string; run: { id: string; files: { edges: { node: { id: string } }[] } } } }
  }
  const runId = storageId('Run', experiment.id)
  return {
    entity: team.slug,
    entityName: team.slug,
    project,
    projectName: project,
    projectNames: project,
    runName,
    run: runName,
    org: 'My organisation',
    organization: 'My organisation',
    // Places where a plain `name`, `id` or `input` means something else each time.
    'Query.entity.name': team.slug,
    'Query.project.name': project,
    'Query.model.name': project,
    'Query.organization.name': 'My organisation',
    'Entity.project.name': project,
    'Project.run.name': runName,
    'Project.run.desc': 'x',
    'Project.bucket.name': runName,
    'Project.artifact.name': 'ds:v0',
    'Project.artifactCollectionMembership.name': 'ds:v0',
    'Project.artifactType.name': 'dataset',
    'Project.artifactCollection.name': 'ds',
    'ArtifactType.artifactCollection.name': 'ds',
    'ArtifactType.artifactSequence.name': 'ds',
    'ArtifactType.artifact.name': 'ds:v0',
    'Query.artifact.id': artifact.id,
    'Query.artifactCollection.id': artifact.collectionId,
    'Query.clientIDMapping.clientID': artifact.clientId,
    'Query.users.query': team.admin.username,
    'ArtifactCollection.artifactMembership.aliasName': 'v0',
    'Run.files.names': ['output.log'],
    'Run.files.pattern': '%',
    'Query.__type.name': 'Artifact',
    'Run.sampledHistory.specs': ['{"keys":["_step","loss"],"samples":10}'],
    'Run.logLines.first': 5,
    'Run.logLines.last': 5,
    'Run.parquetHistory.liveKeys': ['_step'],
    'Run.history.maxStep': 10,
    'Run.history.minStep': 0,
    order: '-createdAt',
    'Project.runs.order': '-created_at',
    filters: '{}',
    'Project.runs.filters': '{"state":"running"}',
    'Project.runCount.filters': '{"state":"running"}',
    after: null,
    cursor: null,
    // Changes
    'UpsertBucketInput.id': runId,
    'UpsertBucketInput.name': null,
    'UpsertBucketInput.modelName': project,
    'UpsertBucketInput.config': '{"lr":{"value":1}}',
    'UpsertBucketInput.summaryMetrics': '{"loss":1}',
    'UpsertBucketInput.tags': ['b'],
    'UpsertBucketInput.state': null,
    'UpsertBucketInput.sweep': null,
    'StopRunInput.id': runId,
    'DeleteRunInput.id': runId,
    'UpdateRunStateInput.id': runId,
    'UpdateRunStateInput.state': 'failed',
    'RewindRunInput.metricName': '_step',
    'RewindRunInput.metricValue': 1,
    'CreateRunFilesInput.files': ['new.txt'],
    'MarkRunFilesUploadedInput.files': ['new.txt'],
    'DeleteFilesInput.files': [data.project.run.files.edges[0]!.node.id],
    'DeleteFilesInput.projectId': null,
    title: 'Look',
    text: 'here',
    'UpsertModelInput.id': null,
    'UpsertModelInput.icon': null,
    destinationArtifactTypeName: 'model',
    'UpsertModelInput.name': () => `new-${hex(4)}`,
    'UpsertModelInput.description': 'd',
    'DeleteModelInput.id': data.project.id,
    'RenameProjectInput.oldProjectName': project,
    'RenameProjectInput.newProjectName': `${project}-renamed`,
    'GenerateApiKeyInput.description': 'd',
    'DeleteApiKeyInput.id': storageId('ApiKey', (await app.teams.createMyKey(actor, 'spare')).id),
    'CreateTeamInput.teamName': () => `team-${hex(4)}`,
    'CreateTeamInput.teamAdminUserName': team.mate.username,
    'CreateInviteInput.email': () => `i${hex(6)}@example.org`,
    'CreateInviteInput.username': null,
    'DeleteInviteInput.id': storageId('Invite', guest.id),
    'CreateServiceAccountInput.description': 'ci',
    'CreateUserInput.email': () => `u${hex(6)}@example.org`,
    'CreateCustomChartInput.name': () => `chart-${hex(4)}`,
    'CreateCustomChartInput.displayName': 'Chart',
    'CreateCustomChartInput.type': 'vega2',
    'CreateCustomChartInput.access': 'private',
    'CreateCustomChartInput.spec': '{"mark":"bar"}',
    // Artifacts
    artifactID: artifact.id,
    baseArtifactID: null,
    'DeleteArtifactInput.deleteAliases': true,
    'Project.sweep.sweepName': swept?.sweep.name,
    'Sweep.agent.agentName': swept?.agent.name,
    'UpsertSweepInput.id': swept?.sweep.id,
    'UpsertSweepInput.config': sweepConfig,
    'UpsertSweepInput.state': 'PAUSED',
    'CreateAgentInput.sweep': swept?.sweep.name,
    host: 'h',
    'AgentHeartbeatInput.id': swept?.agent.id,
    'AgentHeartbeatInput.metrics': '{}',
    'AgentHeartbeatInput.runState': '{}',
    'EnqueueSweepRunInput.id': swept?.sweep.id,
    'EnqueueSweepRunInput.config': '{"lr":{"value":1}}',
    'LinkArtifactInput.clientID': null,
    artifactPortfolioName: 'best',
    artifactPortfolioID: portfolio?.id,
    artifactSequenceID: artifact.collectionId,
    artifactManifestID: pending.manifestId,
    'CommitArtifactInput.artifactID': pending.id,
    'CreateArtifactManifestInput.artifactID': pending.id,
    'CreateArtifactFileSpecInput.artifactID': pending.id,
    artifactTypeName: 'dataset',
    artifactCollectionName: 'ds',
    artifactCollectionNames: ['ds'],
    artifactName: 'ds',
    artifactVersionIndex: 'v0',
    'CreateArtifactInput.digest': () => hex(16),
    'CreateArtifactInput.digestAlgorithm': 'MANIFEST_MD5',
    clientID: () => hex(32),
    sequenceClientID: () => hex(32),
    'CreateArtifactManifestInput.name': 'wandb_manifest.json',
    'CreateArtifactManifestInput.digest': '',
    'CreateArtifactManifestInput.runName': runName,
    'CreateArtifactFileSpecInput.name': 'b.txt',
    'CreateArtifactFileSpecInput.md5': md5('b').toString('base64'),
    'CreateArtifactTypeInput.name': 'model',
    metadata: '{"a":1}',
    description: 'd',
    alias: 'best',
    tagName: 'good',
    storageLayout: 'V2',
    'Artifact.filesByManifestEntries.manifestVersion': '1',
    'ArtifactManifestEntryInput.name': 'a.txt',
    'ArtifactManifestEntryInput.digest': md5('a').toString('base64'),
    'ArtifactManifestEntryInput.birthArtifactID': artifact.id,
    'ArtifactManifestEntryInput.size': 1,
    uploadPartsInput: null,
    ttlDurationSeconds: null,
    historyStep: null,
    'CompleteMultipartUploadArtifactInput.artifactID': pending.id,
    'CompleteMultipartUploadArtifactInput.storagePath': inParts?.storagePath,
    'CompleteMultipartUploadArtifactInput.uploadID': inParts?.uploadID,
    'CompleteMultipartUploadArtifactInput.completedParts': inParts?.completedParts,
    // Members of a registry
    ...registry,
    distributedID: null,
    runId: runId,
  }
}

const piece = 'half of it'

/** A file of a pending artifact, announced in two parts, both of which were sent. */
async function anUploadInParts(artifactID: string) {
  const completedParts = [1, 2].map((partNumber) => ({ partNumber, hexMD5: md5(piece).toString('hex') }))
  const { data, errors } = await ask(
    `mutation($input: CreateArtifactFilesInput!) { result: createArtifactFiles(input: $input) { files { edges { node {
      storagePath uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } } } } } } }`,
    {
      input: {
        artifactFiles: [
          {
            artifactID,
            name: 'big.bin',
            md5: md5(piece + piece).toString('base64'),
            uploadPartsInput: completedParts,
          },
        ],
        storageLayout: 'V2',
      },
    },
  )
  expect(errors).toBeUndefined()
  const [{ node }] = (data as unknown as { result: { files: { edges: { node: UploadInParts }[] } } }).result
    .files.edges as [{ node: UploadInParts }]
  for (const { uploadUrl } of node.uploadMultipartUrls.uploadUrlParts)
    await app.inject(new Request(uploadUrl, { method: 'PUT', body: piece }))
  return {
    storagePath: node.storagePath,
    uploadID: node.uploadMultipartUrls.uploadID,
    completedParts,
  }
}
type UploadInParts = {
  storagePath: string
  uploadMultipartUrls: { uploadID: string; uploadUrlParts: { uploadUrl: string }[] }
}

/** A registry in which a team mate is a member and so is their team, as variables for changes of its members. */
async function aRegistry(audience: 'organisation' | 'restricted' = 'organisation') {
  const registry = await app.artifacts.createRegistry(actor, { name: `wandb-registry-${hex(4)}`, audience })
  const members = { usernames: [team.mate.username], teams: [team.slug] }
  await app.artifacts.setRegistryMembers(actor, registry, members, 'member')
  const [user, entity] = [numberedId('User', team.mate.username), numberedId('Entity', team.slug)]
  return Object.fromEntries(
    [
      'CreateProjectMembersInput',
      'DeleteProjectMembersInput',
      'UpdateProjectMemberInput',
      'UpdateProjectTeamMemberInput',
    ].flatMap((input) => [
      [`${input}.projectId`, storageId('Project', registry.id)],
      [`${input}.userIds`, [user]],
      [`${input}.teamIds`, [entity]],
      [`${input}.userId`, user],
      [`${input}.teamId`, entity],
      [`${input}.userProjectRole`, 'viewer'],
      [`${input}.teamProjectRole`, 'viewer'],
    ]),
  )
}

/** The artifact in a second collection. */
async function aLink(project: string, artifactID: string): Promise<{ id: string }> {
  const { data, errors } = await ask(
    `mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { artifactMembership { artifactCollection { id } } } }`,
    { input: { artifactID, artifactPortfolioName: 'best', entityName: team.slug, projectName: project } },
  )
  expect(errors).toBeUndefined()
  const { linkArtifact } = data as {
    linkArtifact: { artifactMembership: { artifactCollection: { id: string } } }
  }
  return linkArtifact.artifactMembership.artifactCollection
}

/** A sweep, and an agent that was given its first run. */
async function aSweep(project: string) {
  const run = async <Result>(text: string, input: object): Promise<Result> => {
    const { data, errors } = await ask(text, { input })
    expect(errors).toBeUndefined()
    return (data as { result: Result }).result
  }
  const { sweep } = await run<{ sweep: { id: string; name: string } }>(
    `mutation($input: UpsertSweepInput!) { result: upsertSweep(input: $input) { sweep { id name } } }`,
    { entityName: team.slug, projectName: project, config: sweepConfig },
  )
  const { agent } = await run<{ agent: { id: string; name: string } }>(
    `mutation($input: CreateAgentInput!) { result: createAgent(input: $input) { agent { id name } } }`,
    { entityName: team.slug, projectName: project, sweep: sweep.name, host: 'h' },
  )
  await run(`mutation($input: AgentHeartbeatInput!) { result: agentHeartbeat(input: $input) { commands } }`, {
    id: agent.id,
    metrics: '{}',
    runState: '{}',
  })
  return { sweep, agent }
}

const sweepConfig =
  'method: grid\nmetric: {name: loss, goal: minimize}\nparameters:\n  lr: {values: [0.1, 0.2]}\n'

const hex = (bytes: number) => randomBytes(bytes).toString('hex')
const md5 = (content: string) => createHash('md5').update(content).digest()

/** Saved as the client does it: with a run, committed, used by the same run. */
async function anArtifact(project: string, runName: string, state: 'committed' | 'pending' = 'committed') {
  const clientId = hex(64)
  const content = state === 'committed' ? 'a' : hex(4)
  const manifest = JSON.stringify({
    version: 1,
    storagePolicy: 'wandb-storage-policy-v1',
    storagePolicyConfig: { storageLayout: 'V2' },
    contents: { 'a.txt': { digest: md5(content).toString('base64'), size: content.length } },
  })
  const digest = createHash('md5')
    .update(`wandb-artifact-manifest-v1\na.txt:${md5(content).toString('base64')}\n`)
    .digest('hex')
  const where = { entityName: team.slug, projectName: project, runName }
  const run = async (text: string, input: object) => {
    const { data, errors } = await ask(text, { input })
    expect(errors).toBeUndefined()
    return (data as Record<string, Record<string, never>>).result!
  }
  const { artifact } = (await run(
    `mutation($input: CreateArtifactInput!) { result: createArtifact(input: $input) { artifact { id artifactSequence { id } } } }`,
    {
      ...where,
      artifactTypeName: 'dataset',
      artifactCollectionNames: ['ds'],
      digest,
      digestAlgorithm: 'MANIFEST_MD5',
      clientID: clientId,
      sequenceClientID: hex(64),
      aliases: [{ artifactCollectionName: 'ds', alias: 'latest' }],
      tags: [{ tagName: 'fine' }],
      metadata: '{"rows":1}',
      description: 'd',
    },
  )) as unknown as { artifact: { id: string; artifactSequence: { id: string } } }
  const files = (await run(
    `mutation($input: CreateArtifactFilesInput!) { result: createArtifactFiles(input: $input) { files { edges { node { uploadUrl } } } } }`,
    {
      artifactFiles: [{ artifactID: artifact.id, name: 'a.txt', md5: md5(content).toString('base64') }],
      storageLayout: 'V2',
    },
  )) as unknown as { files: { edges: { node: { uploadUrl: string } }[] } }
  await app.inject(new Request(files.files.edges[0]!.node.uploadUrl, { method: 'PUT', body: content }))
  const { artifactManifest } = (await run(
    `mutation($input: CreateArtifactManifestInput!) { result: createArtifactManifest(input: $input) { artifactManifest { id file { uploadUrl } } } }`,
    {
      ...where,
      artifactID: artifact.id,
      name: 'wandb_manifest.json',
      digest: md5(manifest).toString('base64'),
      type: 'FULL',
    },
  )) as unknown as { artifactManifest: { id: string; file: { uploadUrl: string } } }
  await app.inject(new Request(artifactManifest.file.uploadUrl, { method: 'PUT', body: manifest }))
  const ids = {
    id: artifact.id,
    collectionId: artifact.artifactSequence.id,
    manifestId: artifactManifest.id,
    clientId,
  }
  if (state === 'pending') return ids
  await run(
    `mutation($input: CommitArtifactInput!) { result: commitArtifact(input: $input) { artifact { id } } }`,
    { artifactID: artifact.id },
  )
  await run(
    `mutation($input: UseArtifactInput!) { result: useArtifact(input: $input) { artifact { id } } }`,
    {
      ...where,
      artifactID: artifact.id,
    },
  )
  return ids
}

test.skipIf(pythons.every((python) => !python))(
  'every document is answered',
  async () => {
    const trouble: object[] = []
    const selected = new Map<string, string>()
    const shared = await aWorld()
    for (const { name, text } of documents.values()) {
      const document = parse(text)
      // What the schema does not have yet is the business of documents.test.ts.
      if (validate(schema, document).some(({ message }) => !message.includes('is never used'))) continue
      const isMutation = document.definitions.some(
        (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.operation === 'mutation',
      )
      const world = isMutation && wrecking.test(name) ? await aWorld(text) : shared
      const { variables, guessed } = variablesFor(schema, document, world)
      const { errors } = await ask(text, variables)
      for (const error of errors ?? []) {
        const known = answerOf(error.originalError)
        if (known && guessed.length > 0) continue
        trouble.push({
          name,
          path: error.path?.join('.'),
          message: known?.message ?? error.message,
          stack: known ? undefined : error.originalError?.stack?.split('\n')[1],
        })
      }
      if (guessed.length === 0) for (const field of fieldsOf(document)) selected.set(field, name)
    }
    expect(trouble).toEqual([])
    expect([...missing]).toEqual([])
    const unknown = [...selected].filter(([field]) => !resolved.has(field) && !unreached.test(field))
    expect(unknown).toEqual([])
  },
  400_000,
)

test.skipIf(pythons.every((python) => !python))(
  'members of a registry are changed by its admins, and by nobody else who may see it or not',
  async () => {
    const changes = [...documents.values()].filter(({ text }) =>
      /ProjectMembersInput|Project(Team)?MemberInput/.test(text),
    )
    expect(changes.length).toBeGreaterThan(3)
    const actorOf = (key: string) => app.teams.actors.ofKey(key, { origin: app.origin, client: 'wandb' })
    const askers = {
      admin: actor,
      member: await actorOf(team.mate.key),
      viewer: await actorOf(team.member.key),
      stranger: await actorOf(team.outsider.key),
    }
    for (const { name, text } of changes) {
      const world = await aRegistry('restricted')
      const id = readStorageId('Project', world['CreateProjectMembersInput.projectId'] as string)!
      const registry = (await app.artifacts.findRegistryById(actor, id))!
      await app.artifacts.setRegistryMembers(
        actor,
        registry,
        { usernames: [team.member.username], teams: [] },
        'viewer',
      )
      const before = await app.artifacts.listRegistryMembers(actor, registry)
      const { variables, guessed } = variablesFor(schema, parse(text), world)
      expect({ name, guessed }).toEqual({ name, guessed: [] })
      const answers: Record<string, string> = {}
      // Whoever may not comes first: nothing has changed when the admin asks.
      for (const who of ['stranger', 'viewer', 'member', 'admin'] as const) {
        if (who === 'admin') expect(await app.artifacts.listRegistryMembers(actor, registry)).toEqual(before)
        const { errors } = await ask(text, variables, askers[who])
        const known = errors?.map((error) => answerOf(error.originalError)?.status ?? 500)
        answers[who] = String(known?.[0] ?? 'done')
      }
      expect({ name, ...answers }).toEqual({
        name,
        stranger: '404',
        viewer: '403',
        member: '403',
        admin: 'done',
      })
    }
  },
  60_000,
)

function fieldsOf(document: ReturnType<typeof parse>): string[] {
  const found: string[] = []
  const info = new TypeInfo(schema)
  visit(
    document,
    visitWithTypeInfo(info, {
      Field(node) {
        const parent = getNamedType(info.getParentType())
        if (isObjectType(parent) && !node.name.value.startsWith('__'))
          found.push(`${parent.name}.${node.name.value}`)
      },
    }),
  )
  return found
}
