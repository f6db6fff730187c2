/** Reports and workspaces as the client's views. */
import { GridError } from '@teamgrid/api'
import type { Reports, StoredView, ViewKind } from '../../reports/service.ts'
import type { Resolvers, WandbContext } from '../graphql.ts'
import { readStorageId, storageId } from '../words.ts'
import { type PageArguments, pageOf } from './connections.ts'
import type { Places } from './places.ts'

type UpsertViewInput = {
  id?: string | null
  entityName?: string | null
  projectName?: string | null
  type?: string | null
  name?: string | null
  displayName?: string | null
  description?: string | null
  spec?: string | null
}

const kinds: Record<string, ViewKind> = {
  runs: 'report',
  'runs/draft': 'report',
  'project-view': 'workspace',
  'run-view': 'experiment',
}

export function viewResolvers({ reports, places }: { reports: Reports; places: Places }): Resolvers {
  async function upsert(input: UpsertViewInput, actor: WandbContext['actor']) {
    const type = input.type ?? 'runs'
    const kind = kinds[type]
    if (kind === undefined)
      throw new GridError('invalid', `There is no view of type "${type}": ${Object.keys(kinds).join(', ')}.`)
    const publish = type !== 'runs/draft'
    const existing = input.id
      ? ((await reports.findStored(actor, idOf(input.id))) ?? missing())
      : await named(actor, input, kind)
    if (existing) {
      await reports.save(actor, existing.id, {
        // The client knows no versions: what it saves counts.
        version: null,
        title: input.displayName || existing.title,
        description: input.description ?? existing.description,
        spec: input.spec ?? existing.spec,
        publish,
      })
      const view = (await reports.findStored(actor, existing.id))!
      return { view: publish || !view.draft ? view : { ...view, ...view.draft }, inserted: false }
    }
    if (!input.entityName || !input.projectName)
      throw new GridError('invalid', 'Name the entity and the project')
    const made = await reports.create(actor, input.entityName, input.projectName, {
      title: input.displayName || 'Untitled',
      description: input.description ?? '',
      spec: input.spec ?? '{}',
      publish,
      kind,
      ...(input.name ? { name: input.name } : {}),
    })
    return { view: await reports.findStored(actor, made.id), inserted: true }
  }

  async function named(actor: WandbContext['actor'], input: UpsertViewInput, kind: ViewKind) {
    if (!input.name || !input.entityName || !input.projectName) return undefined
    const place = { team: input.entityName, project: input.projectName }
    return (await reports.listStored(actor, place, kind, { name: input.name }))[0]
  }

  /** A token names its report, for whoever may edit it. */
  async function linkOf(actor: WandbContext['actor'], token: string) {
    const [viewId, ...rest] = token.split('.')
    const id = viewId && readStorageId('View', viewId)
    const secret = rest.join('.')
    const links = id ? await reports.links(actor, id) : []
    const link = links.find(({ url }) => url.endsWith(`/${secret}`))
    if (!link || !id) throw new GridError('not_found', 'There is no such access token')
    return { viewId: id, linkId: link.id }
  }

  return {
    Query: {
      view: async (_: unknown, { id }: { id: string }, { actor }) => {
        const uuid = readStorageId('View', id)
        return uuid === undefined ? null : ((await reports.findStored(actor, uuid)) ?? null)
      },
    },
    Mutation: {
      upsertView: (_: unknown, { input }: { input: UpsertViewInput }, { actor }) => upsert(input, actor),
      async deleteView(_: unknown, { input }: { input: { id: string } }, { actor }) {
        await reports.remove(actor, idOf(input.id))
        return { success: true, pendingDrafts: false }
      },
      async createAccessToken(
        _: unknown,
        { input }: { input: { viewId: string; projects: { entityName: string; projectName: string }[] } },
        { actor },
      ) {
        const id = idOf(input.viewId)
        const view = (await reports.findStored(actor, id)) ?? missing()
        return { accessToken: tokenNode(view, await reports.createLink(actor, id)) }
      },
      async updateAccessTokenProjects(_: unknown, { input }: { input: { token: string } }, { actor }) {
        // A link shows the report's own project, whatever else its panels name.
        await linkOf(actor, input.token)
        return { success: true }
      },
      async revokeAccessToken(_: unknown, { input }: { input: { token: string } }, { actor }) {
        const { viewId, linkId } = await linkOf(actor, input.token)
        await reports.revokeLink(actor, viewId, linkId)
        return { success: true }
      },
    },
    Project: {
      async allViews(
        { teamSlug, name }: { teamSlug: string; name: string },
        {
          viewType,
          viewName,
          userName,
          ...page
        }: PageArguments & { viewType?: string; viewName?: string; userName?: string },
        { actor },
      ) {
        const kind = kinds[viewType ?? 'runs']
        if (kind === undefined) return pageOf([], page)
        const views = await reports.listStored(actor, { team: teamSlug, project: name }, kind, {
          ...(viewName ? { name: viewName } : {}),
          ...(kind === 'report' ? { published: viewType !== 'runs/draft' } : {}),
        })
        return pageOf(
          views.filter(({ createdBy }) => !userName || createdBy.username === userName),
          page,
        )
      },
    },
    View: {
      id: ({ id }: StoredView) => storageId('View', id),
      type: ({ kind, isPublished }: StoredView) =>
        kind === 'report'
          ? isPublished
            ? 'runs'
            : 'runs/draft'
          : kind === 'workspace'
            ? 'project-view'
            : 'run-view',
      displayName: ({ title }: StoredView) => title,
      project: ({ team, project }: StoredView, _: unknown, { actor }) =>
        places.findProject(actor, team, project),
      user: ({ createdBy }: StoredView) => createdBy,
      async accessTokens(view: StoredView, _: unknown, { actor }) {
        const links = await reports.links(actor, view.id).catch((error: unknown) => {
          if (error instanceof GridError) return []
          throw error
        })
        return links.map((link) => tokenNode(view, link))
      },
    },
  }
}

function idOf(given: string): string {
  return readStorageId('View', given) ?? missing()
}

function missing(): never {
  throw new GridError('not_found', 'There is no view with this id')
}

/** The client puts the token behind the address of the report itself, so it says which report it opens. */
function tokenNode(view: StoredView, link: { url: string }) {
  return {
    token: `${storageId('View', view.id)}.${link.url.split('/').at(-1)}`,
    type: 'PUBLIC',
    revokedAt: null,
    projects: [{ entityName: view.team, name: view.project }],
  }
}
