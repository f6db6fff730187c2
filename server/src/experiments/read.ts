/** What team mates see of experiments. */
import type { Readable } from 'node:stream'
import {
  type Alert,
  type ConsoleLine,
  type Curve,
  type ExperimentDetails,
  type ExperimentQuery,
  ExperimentQuery as ExperimentQuerySchema,
  type ExperimentRow,
  GridError,
  Id,
  type KeyInfo,
  type MediaItem,
} from '@teamgrid/api'
import { sql } from 'kysely'
import type { Actor } from '../actor.ts'
import { findFlattened, possibleHeads } from '../lib/flatten.ts'
import { parseJsonObject } from '../lib/tolerant-json.ts'
import type { FactFilter, MetricStore, Stream } from '../stores/clickhouse/metric-types.ts'
import { findAncestorIds, findBranches, findInheritedSummaries } from './branch.ts'
import type { Parts } from './deps.ts'
import { detailsOf, environmentOf } from './details.ts'
import { experimentOf } from './experiment.ts'
import { builtInFacts, plainConfig } from './facts.ts'
import { type createFiles, selectFiles } from './files.ts'
import { checkColumn, factFilterOf, isBuiltIn } from './filters.ts'
import { filesOfValue } from './media.ts'
import { isPointKey } from './points.ts'
import {
  findExperiment,
  findExperimentById,
  findSlimExperiment,
  findSlimExperiments,
  selectExperiments,
} from './store.ts'
import type { Condition, ExperimentRef, StoredExperiment } from './types.ts'

const metadataFile = 'wandb-metadata.json'
const metadataBytesMax = 1024 * 1024

export type ProjectRef = { team: string; project: string }

export function createReader(
  { db, access, teams, metrics, blobs }: Parts,
  { fileUrl }: Pick<ReturnType<typeof createFiles>, 'fileUrl'>,
) {
  /** The experiment, if the actor may see it. */
  async function find(actor: Actor, ref: ExperimentRef): Promise<StoredExperiment | undefined> {
    return await readable(actor, await findExperiment(db, ref))
  }

  async function findById(actor: Actor, id: string): Promise<StoredExperiment | undefined> {
    return await readable(actor, await findExperimentById(db, id))
  }

  async function readable(actor: Actor, found: StoredExperiment | undefined) {
    return found && (await access.permits(actor, 'experiment:read', found)) ? found : undefined
  }

  /** Experiments of a project that match, in order, a page at a time; newest first if not told. */
  async function query(
    actor: Actor,
    input: ProjectRef & ExperimentQuery,
  ): Promise<{ rows: ExperimentRow[]; total: number }> {
    const project = await access.allowed(
      actor,
      'project:read',
      teams.findProjectGuard(input.team, input.project),
    )
    const { search, filters, sort, columns, offset, limit } = ExperimentQuerySchema.parse(input)
    for (const { column } of sort) checkColumn(column)
    for (const column of columns) checkColumn(column)
    const page = await idsOf(project.id, factFilterOf(search, filters), { sort, offset, limit })
    return { rows: await rowsOf(project.id, page.experimentIds, columns), total: page.total }
  }

  /** As `query`, for callers that want experiments whole and conditions that nest. A limit of 0 only counts. */
  async function page(
    actor: Actor,
    input: ProjectRef & { condition?: Condition; sort: Sort[]; offset: number; limit: number },
  ): Promise<{ experiments: StoredExperiment[]; total: number }> {
    const project = await access.allowed(
      actor,
      'project:read',
      teams.findProjectGuard(input.team, input.project),
    )
    for (const { column } of input.sort) checkColumn(column)
    const found = await idsOf(project.id, factFilterOf(undefined, [], input.condition), input)
    const experiments =
      found.experimentIds.length === 0
        ? []
        : await selectExperiments(
            db,
            sql`${inProject(project.id)} and e.id = any(${found.experimentIds}::uuid[])`,
          )
    const byId = new Map(experiments.map((experiment) => [experiment.id, experiment]))
    return { experiments: found.experimentIds.flatMap((id) => byId.get(id) ?? []), total: found.total }
  }

  async function idsOf(
    projectId: string,
    filter: FactFilter | null,
    { sort, offset, limit }: { sort: Sort[]; offset: number; limit: number },
  ): Promise<{ experimentIds: string[]; total: number }> {
    if (filter === null && sort.every(({ column }) => column === 'created_at'))
      return await pageByTime(projectId, sort[0]?.descending ?? true, offset, limit)
    return await metrics.find({
      projectIds: [projectId],
      filter,
      sort: sort.length === 0 ? [{ key: 'created_at', descending: true }] : sort.map(sortKey),
      offset,
      limit,
    })
  }

  /** The usual view needs no facts, and an index has it in order. */
  async function pageByTime(projectId: string, descending: boolean, offset: number, limit: number) {
    const direction = sql.raw(descending ? 'desc' : 'asc')
    const [page, counted] = await Promise.all([
      sql<{ id: string }>`
        select id from experiments where project_id = ${projectId} and deleted_at is null
        order by created_at ${direction}, id ${direction} offset ${offset} limit ${limit}`.execute(db),
      sql<{ total: number }>`
        select count(*) as total from experiments where project_id = ${projectId} and deleted_at is null`.execute(
        db,
      ),
    ])
    return { experimentIds: page.rows.map(({ id }) => id), total: counted.rows[0]!.total }
  }

  async function rowsOf(projectId: string, ids: string[], columns: string[]): Promise<ExperimentRow[]> {
    if (ids.length === 0) return []
    const found = await selectExperiments(
      db,
      sql`${inProject(projectId)} and e.id = any(${ids}::uuid[])`,
      sql``,
      contentOf(columns),
    )
    const byId = new Map(found.map((experiment) => [experiment.id, experiment]))
    return ids.flatMap((id) => {
      const experiment = byId.get(id)
      return experiment ? [{ ...experimentOf(experiment), values: valuesOf(experiment, columns) }] : []
    })
  }

  async function columns(
    actor: Actor,
    { search, limit, ...ref }: ProjectRef & { search?: string; limit: number },
  ): Promise<{ column: string; experiments: number; numeric: boolean }[]> {
    const project = await access.allowed(actor, 'project:read', teams.findProjectGuard(ref.team, ref.project))
    // Built-in facts and tags come along and are taken out here; there are few of the former.
    const found = await metrics.factKeys({
      projectIds: [project.id],
      ...(search ? { search } : {}),
      limit: limit + 1000,
    })
    return found
      .filter(({ key }) => /^(?:config|summary)\../s.test(key))
      .slice(0, limit)
      .map(({ key, experiments, numeric }) => ({ column: key, experiments, numeric }))
  }

  async function get(actor: Actor, ref: ExperimentRef): Promise<ExperimentDetails> {
    return await details(await access.allowed(actor, 'experiment:read', findExperiment(db, ref)))
  }

  async function details(experiment: StoredExperiment): Promise<ExperimentDetails> {
    const { count } = await db
      .selectFrom('files')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('experiment_id', '=', experiment.id)
      .executeTakeFirstOrThrow()
    const metadata = environmentOf(experiment) ? undefined : await metadataOf(experiment.id)
    return detailsOf(experiment, count, metadata, await findBranches(db, experiment))
  }

  /** The environment that older clients only upload as a file. */
  async function metadataOf(id: string): Promise<Record<string, unknown> | undefined> {
    const [file] = await selectFiles(db, id, { names: [metadataFile] })
    if (!file || file.sizeBytes > metadataBytesMax) return undefined
    return parseJsonObject(await textIn(await blobs.get(file.blobKey)))
  }

  /** @throws GridError not_found, if any of them is not the actor's to see. */
  async function allReadable(actor: Actor, ids: string[]): Promise<StoredExperiment[]> {
    const found = await findSlimExperiments(db, ids)
    if (found.length < new Set(ids).size) throw new GridError('not_found')
    // What the table says depends on the team and the owner alone.
    const cases = new Map(found.map((each) => [`${each.teamId} ${each.ownerId} ${each.createdById}`, each]))
    for (const each of cases.values()) await access.allowed(actor, 'metric:read', each)
    return found
  }

  async function keys(
    actor: Actor,
    { experimentIds, stream }: { experimentIds: string[]; stream?: Stream },
  ): Promise<KeyInfo[]> {
    await allReadable(actor, experimentIds)
    const found = await metrics.keys({ experimentIds, ...(stream ? { stream } : {}) })
    return found.map(({ key, stream, kind, type, count, lastStep }) => ({
      key,
      stream,
      kind,
      type,
      count,
      lastStep,
    }))
  }

  async function curves(
    actor: Actor,
    input: {
      experimentIds: string[]
      keys: string[]
      stream: Stream
      x: string
      from: number | null
      to: number | null
      pointsMax: number
    },
  ): Promise<Curve[]> {
    const found = await allReadable(actor, input.experimentIds)
    return await sampled(found, input)
  }

  /** For readers whose right was proven on something else, such as a shared report: one project, and nothing beside it. */
  const shown = {
    async query(projectId: string, input: ExperimentQuery): Promise<ExperimentRow[]> {
      const { search, filters, sort, columns, offset, limit } = ExperimentQuerySchema.parse(input)
      for (const { column } of sort) checkColumn(column)
      for (const column of columns) checkColumn(column)
      const found = await idsOf(projectId, factFilterOf(search, filters), { sort, offset, limit })
      return await rowsOf(projectId, found.experimentIds, columns)
    },
    async curves(
      projectId: string,
      input: { experimentIds: string[]; keys: string[]; x: string; pointsMax: number },
    ): Promise<Curve[]> {
      const found = (await findSlimExperiments(db, input.experimentIds)).filter(
        (each) => each.projectId === projectId,
      )
      if (found.length === 0 || input.keys.length === 0) return []
      return await sampled(found, { ...input, stream: 'history', from: null, to: null })
    },
  }

  async function sampled(
    found: StoredExperiment[],
    input: {
      keys: string[]
      stream: Stream
      x: string
      from: number | null
      to: number | null
      pointsMax: number
    },
  ): Promise<Curve[]> {
    const curves = await metrics.sample({
      experimentIds: found.map(({ id }) => id),
      keys: input.keys,
      stream: input.stream,
      x: input.x === 'step' || input.x === 'runtime' || input.x === 'timestamp' ? input.x : { key: input.x },
      from: input.from,
      to: input.to,
      pointsMax: input.pointsMax - (input.pointsMax % 2),
      rewritten: new Set(found.filter((each) => each.rewritten).map((each) => each.id)),
    })
    const branchXs = await branchXsOf(found, input)
    return curves.map((curve) => ({ ...curve, branchX: branchXs.get(curve.experimentId) ?? null }))
  }

  /** Where on an axis branches leave those they branched from: at the last value that they inherited. */
  async function branchXsOf(
    found: readonly StoredExperiment[],
    { stream, x }: { stream: Stream; x: string },
  ): Promise<Map<string, number>> {
    const branches = stream === 'history' ? found.filter(({ branchedFrom }) => branchedFrom !== null) : []
    if (branches.length === 0) return new Map()
    if (x === 'step') return new Map(branches.map(({ id, branchedFrom }) => [id, branchedFrom!.step]))
    const inherited = await findInheritedSummaries(
      db,
      branches.map(({ id }) => id),
    )
    const key = x === 'runtime' || x === 'timestamp' ? `_${x}` : x
    return new Map(
      [...inherited].flatMap(([id, { last }]) => {
        const value = findFlattened(last, key)
        return typeof value === 'number' && Number.isFinite(value) ? [[id, value] as const] : []
      }),
    )
  }

  async function media(
    actor: Actor,
    input: ExperimentRef & { keys: string[]; stepFrom?: number; stepTo?: number; limit: number },
  ): Promise<MediaItem[]> {
    const experiment = await access.allowed(actor, 'media:read', findSlimExperiment(db, input))
    const found = await metrics.objects({
      experimentId: experiment.id,
      keys: input.keys,
      ...(input.stepFrom === undefined ? {} : { stepFrom: input.stepFrom }),
      // The caller names the last step wanted; the store takes the first one that is not.
      ...(input.stepTo === undefined ? {} : { stepTo: input.stepTo + 1 }),
      limit: input.limit,
    })
    const values = found.map((object) => {
      const value = JSON.parse(object.json) as unknown
      return { object, value, files: filesOfValue(value) }
    })
    const paths = [...new Set(values.flatMap(({ files }) => files.map((file) => file.path)))]
    const urlOf = await urlsOf(actor, experiment, paths)
    return values.map(({ object, value, files }) => ({
      key: object.key,
      step: object.step,
      timestampSeconds: Number.isFinite(object.timestampSeconds) ? object.timestampSeconds : null,
      type: object.type,
      value,
      // A file that is still on its way has no url yet.
      files: files.map(({ path, caption }) => ({ path, url: urlOf.get(path) ?? '', caption })),
    }))
  }

  /** What a branch inherited shows files of those it branched from. */
  async function urlsOf(actor: Actor, experiment: StoredExperiment, paths: string[]) {
    const urls = new Map<string, string>()
    const ancestors = experiment.branchedFrom && paths.length > 0 ? await findAncestorIds(db, experiment) : []
    for (const id of [experiment.id, ...ancestors]) {
      const names = paths.filter((path) => !urls.has(path))
      if (names.length === 0) break
      for (const file of await selectFiles(db, id, { names })) urls.set(file.path, fileUrl(actor, file))
    }
    return urls
  }

  async function consoleOf(
    actor: Actor,
    input: ExperimentRef & { from?: number; last?: boolean; search?: string; limit: number },
  ): Promise<{ lines: ConsoleLine[]; total: number }> {
    const experiment = await access.allowed(actor, 'log:read', findSlimExperiment(db, input))
    const { lines, total } = await metrics.console({
      experimentId: experiment.id,
      ...(input.from === undefined ? {} : { lineFrom: input.from }),
      ...(input.last ? { last: true } : {}),
      ...(input.search ? { search: input.search } : {}),
      limit: input.limit,
    })
    return {
      lines: lines.map(({ line, timeMs, level, label, text }) => ({
        line,
        time: timeMs === null ? null : new Date(timeMs).toISOString(),
        level,
        label,
        text,
      })),
      total,
    }
  }

  async function alerts(
    actor: Actor,
    input: { team: string; project?: string; experiment?: string; limit: number; cursor?: string },
  ): Promise<{ items: Alert[]; nextCursor: string | null }> {
    const team = await teams.findTeam(input.team)
    const found = await access.allowed(
      actor,
      'experiment:read',
      team && { teamId: team.id, ownerId: null, kind: 'team', label: team.slug },
    )
    let query = db
      .selectFrom('alerts')
      .innerJoin('experiments', 'experiments.id', 'alerts.experiment_id')
      .innerJoin('projects', 'projects.id', 'experiments.project_id')
      .select([
        'alerts.id',
        'title',
        'text',
        'level',
        'alerts.created_at',
        'experiments.slug',
        'experiments.name',
        'projects.name as project',
      ])
      .where('alerts.team_id', '=', found.teamId)
      .where('experiments.deleted_at', 'is', null)
      .where(await access.visibleProjects(actor, 'projects'))
      .orderBy('alerts.id', 'desc')
      .limit(input.limit + 1)
    if (input.project !== undefined)
      query = query.where(sql<boolean>`lower(projects.name) = lower(${input.project})`)
    if (input.experiment !== undefined) query = query.where('experiments.slug', '=', input.experiment)
    if (input.cursor !== undefined) query = query.where('alerts.id', '<', checkedCursor(input.cursor))
    const rows = await query.execute()
    const items = rows.slice(0, input.limit).map((row) => ({
      id: row.id,
      experiment: { slug: row.slug, name: row.name, project: row.project },
      title: row.title,
      text: row.text,
      level: row.level,
      createdAt: row.created_at.toISOString(),
    }))
    return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.id ?? null) : null }
  }

  /** The newest raw line of each stream: what a client that resumes continues from. */
  async function tails({ id }: StoredExperiment): Promise<{ historyTail: string[]; systemTail: string[] }> {
    const [history, system] = await Promise.all([
      metrics.latest({ experimentId: id, stream: 'history', limit: 1 }),
      metrics.latest({ experimentId: id, stream: 'system', limit: 1 }),
    ])
    return { historyTail: history.map((line) => line.raw), systemTail: system.map((line) => line.raw) }
  }

  /** The newest raw line of each experiment that has one, by id. */
  async function newestOfEach(found: StoredExperiment[], stream: Stream): Promise<Map<string, string>> {
    const linesOf = (each: StoredExperiment) => (stream === 'history' ? each.historyLines : each.systemLines)
    const logged = found.filter((each) => linesOf(each) > 0)
    const newest = await metrics.lineOfEach({
      lines: logged.map((each) => ({ experimentId: each.id, line: linesOf(each) - 1 })),
      stream,
    })
    // A number is claimed before its line is stored; until then the line before it is the newest.
    for (const { id } of logged) {
      if (newest.has(id)) continue
      const [line] = await metrics.latest({ experimentId: id, stream, limit: 1 })
      if (line) newest.set(id, line.raw)
    }
    return newest
  }

  /** The keys of each experiment by itself, by id. */
  async function keysOfEach(
    actor: Actor,
    found: StoredExperiment[],
    stream: Stream,
  ): Promise<Map<string, KeyInfo[]>> {
    for (const each of found) await access.allowed(actor, 'metric:read', each)
    return await metrics.keysOfEach({ experimentIds: found.map(({ id }) => id), stream })
  }

  /** Raw lines by step, for readers that replay them. */
  function history(
    { id, rewritten }: StoredExperiment,
    range: Omit<Parameters<MetricStore['scan']>[0], 'experimentId' | 'rewritten'>,
  ) {
    return metrics.scan({ experimentId: id, rewritten, ...range })
  }

  /**
   * The numbers of at most `count` lines, evenly spread over those that have all of the keys. Some may lack one: lines
   * that lost it when they were replaced, and keys by which no line is found.
   */
  function pickLines(
    { id, rewritten }: StoredExperiment,
    query: Omit<Parameters<MetricStore['pick']>[0], 'experimentId' | 'rewritten'>,
  ) {
    return metrics.pick({
      experimentId: id,
      rewritten,
      ...query,
      keys: query.keys.filter(isPointKey),
    })
  }

  /** Raw lines by number, in order. Ask for some at a time: a line may be large. */
  function linesAt({ id }: StoredExperiment, stream: Stream, lines: number[]) {
    return metrics.linesAt({ experimentId: id, stream, lines })
  }

  function consoleLines(
    { id }: StoredExperiment,
    range: Omit<Parameters<MetricStore['console']>[0], 'experimentId'>,
  ) {
    return metrics.console({ experimentId: id, ...range })
  }

  return {
    find,
    findById,
    query,
    page,
    columns,
    get,
    details,
    keys,
    curves,
    shown,
    media,
    console: consoleOf,
    alerts,
    tails,
    newestOfEach,
    keysOfEach,
    history,
    pickLines,
    linesAt,
    consoleLines,
  }
}

/** What moved away may still be found by its facts for a moment. */
const inProject = (projectId: string) => sql`e.project_id = ${projectId}`

type Sort = { column: string; descending: boolean }

function sortKey({ column, descending }: Sort) {
  return { key: column, descending }
}

/** Only the top-level entries of config and summary that the columns may mean: whole ones can be large. */
function contentOf(columns: string[]) {
  const heads = (section: string) =>
    columns
      .filter((column) => column.startsWith(section))
      .flatMap((column) => possibleHeads(column.slice(section.length)))
  const part = (name: string, keys: string[]) =>
    keys.length === 0
      ? sql`'{}'::jsonb as ${sql.ref(name)}`
      : sql`coalesce((
          select jsonb_object_agg(entry.key, entry.value) from jsonb_each(e.${sql.ref(name)}) entry
          where entry.key = any(${[...new Set(keys)]}::text[])), '{}') as ${sql.ref(name)}`
  return sql`${part('config', heads('config.'))}, ${part('summary', heads('summary.'))}`
}

function valuesOf(experiment: StoredExperiment, columns: string[]): Record<string, unknown> {
  const config = plainConfig(experiment.config)
  const entries = columns.map((column): [string, unknown] => {
    if (isBuiltIn(column)) {
      const fact = builtInFacts(experiment).get(column)
      return [column, column === 'tags' ? experiment.tags : (fact?.number ?? fact?.text)]
    }
    const [section, key] = [column.slice(0, column.indexOf('.')), column.slice(column.indexOf('.') + 1)]
    return [column, findFlattened(section === 'config' ? config : experiment.summary, key)]
  })
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function checkedCursor(cursor: string): string {
  if (Id.safeParse(cursor).success) return cursor
  throw new GridError('invalid', 'This cursor is not one that was handed out.')
}

async function textIn(stream: Readable): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}
