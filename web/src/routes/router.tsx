import { usageGroups } from '@teamgrid/api'
import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { isSignedOut } from '../lib/client.ts'
import { meQuery } from '../lib/me.ts'
import { Frame } from './frame.tsx'
import { NotFound, PageProblem, PageWaiting } from './page-states.tsx'
import {
  chartSearch,
  day,
  flag,
  listSearch,
  number,
  oneOf,
  ownPath,
  present,
  sharedToken,
  text,
} from './search.ts'

/** The URL tree. Pages load when they are opened; what a view shows stands in its address. */

const root = createRootRouteWithContext<{ queries: QueryClient }>()({
  component: Outlet,
  notFoundComponent: NotFound,
})

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search) =>
    present({
      signup: flag(search.signup),
      next: ownPath(search.next),
      error: text(search.error),
    }),
  component: lazyRouteComponent(() => import('./pages/login.tsx'), 'LoginPage'),
})
const signup = createRoute({
  getParentRoute: () => root,
  path: '/signup',
  validateSearch: (search) =>
    present({ token: text(search.token), invitation: text(search.invitation), next: ownPath(search.next) }),
  component: lazyRouteComponent(() => import('./pages/signup.tsx'), 'SignupPage'),
})
const invite = createRoute({
  getParentRoute: () => root,
  path: '/invite/$token',
  component: lazyRouteComponent(() => import('./pages/invite.tsx'), 'InvitePage'),
})
const resetPassword = createRoute({
  getParentRoute: () => root,
  path: '/reset-password',
  validateSearch: (search) => present({ token: text(search.token) }),
  component: lazyRouteComponent(() => import('./pages/reset-password.tsx'), 'ResetPasswordPage'),
})

const shared = createRoute({
  getParentRoute: () => root,
  path: '/shared/$token',
  component: lazyRouteComponent(() => import('./pages/shared.tsx'), 'SharedPage'),
})

/** Everything behind sign-in. Who is not signed in comes back here after signing in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Frame,
  notFoundComponent: NotFound,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.ensureQueryData(meQuery())
    } catch (problem) {
      if (!isSignedOut(problem)) throw problem
      // The link that the wandb client makes of a shared report.
      const accessToken = text((location.search as { accessToken?: unknown }).accessToken)
      if (accessToken !== undefined)
        throw redirect({ to: '/shared/$token', params: { token: sharedToken(accessToken) } })
      throw redirect({ to: '/login', search: location.href === '/' ? {} : { next: location.href } })
    }
  },
})
const home = createRoute({
  getParentRoute: () => inside,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/home.tsx'), 'HomePage'),
})
const authorize = createRoute({
  getParentRoute: () => inside,
  path: '/authorize',
  component: lazyRouteComponent(() => import('./pages/authorize.tsx'), 'AuthorizePage'),
})
const settings = createRoute({
  getParentRoute: () => inside,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings.tsx'), 'SettingsPage'),
})
const notifications = createRoute({
  getParentRoute: () => inside,
  path: '/notifications',
  validateSearch: (search) => present({ unread: flag(search.unread) }),
  component: lazyRouteComponent(() => import('./pages/notifications.tsx'), 'NotificationsPage'),
})
const admin = createRoute({
  getParentRoute: () => inside,
  path: '/admin',
  validateSearch: (search) => present({ q: text(search.q) }),
  component: lazyRouteComponent(() => import('./pages/admin.tsx'), 'AdminPage'),
})
const subscriptions = createRoute({
  getParentRoute: () => inside,
  path: '/subscriptions',
  component: lazyRouteComponent(() => import('./pages/subscriptions.tsx'), 'SubscriptionsPage'),
})
const teamSettings = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team',
  validateSearch: (search) => present({ part: oneOf('policy', 'privacy', 'who', 'activity')(search.part) }),
  component: lazyRouteComponent(() => import('./pages/team-settings.tsx'), 'TeamSettingsPage'),
})
const runs = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team/runs',
  validateSearch: (search) => present({ archived: flag(search.archived) }),
  component: lazyRouteComponent(() => import('./pages/runs.tsx'), 'RunsPage'),
})
const run = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team/runs/$run',
  validateSearch: (search) => present({ log: number(search.log) }),
  component: lazyRouteComponent(() => import('./pages/run.tsx'), 'RunPage'),
})
const cloneRun = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team/runs/$run/clone',
  component: lazyRouteComponent(() => import('./pages/run.tsx'), 'CloneRunPage'),
})
const teamAlerts = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team/alerts',
  component: lazyRouteComponent(() => import('./pages/team-alerts.tsx'), 'TeamAlertsPage'),
})
const usage = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team/usage',
  validateSearch: (search) =>
    present({ by: oneOf(...usageGroups)(search.by), since: day(search.since), until: day(search.until) }),
  component: lazyRouteComponent(() => import('./pages/usage.tsx'), 'UsagePage'),
})
const auditSearch = (search: Record<string, unknown>) => {
  return present({
    q: text(search.q),
    who: text(search.who),
    did: text(search.did),
    since: day(search.since),
    until: day(search.until),
  })
}
const teamAudit = createRoute({
  getParentRoute: () => inside,
  path: '/teams/$team/audit',
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('./pages/audit.tsx'), 'TeamAuditPage'),
})
const sso = createRoute({
  getParentRoute: () => inside,
  path: '/admin/sso',
  component: lazyRouteComponent(() => import('./pages/sso.tsx'), 'SsoPage'),
})
const organisationAudit = createRoute({
  getParentRoute: () => inside,
  path: '/admin/audit',
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('./pages/audit.tsx'), 'OrganisationAuditPage'),
})
const team = createRoute({
  getParentRoute: () => inside,
  path: '/$team',
  component: lazyRouteComponent(() => import('./pages/team.tsx'), 'TeamPage'),
})
const datastores = createRoute({
  getParentRoute: () => inside,
  path: '/$team/datastores',
  component: lazyRouteComponent(() => import('./pages/datastores.tsx'), 'DatastoresPage'),
})
const datastore = createRoute({
  getParentRoute: () => inside,
  path: '/$team/datastores/$owner/$name',
  validateSearch: (search) =>
    present({
      version: number(search.version),
      folder: text(search.folder),
      file: text(search.file),
      since: number(search.since),
    }),
  component: lazyRouteComponent(() => import('./pages/datastore.tsx'), 'DatastorePage'),
  // What the client prints of a project that is called `datastores`; nobody is called `runs`.
  beforeLoad: ({ params: { team, owner, name } }) => {
    const params = { team, project: 'datastores', id: name }
    if (owner === 'runs') throw redirect({ to: '/$team/$project/runs/$id', params })
    if (owner === 'sweeps') throw redirect({ to: '/$team/$project/sweeps/$id', params })
  },
})
/** Pages of a team. A project that is called like one of them is found under its name with a tilde before it. */
const pagesOfTeam = new Set(['datastores', 'runs', 'sessions', 'clusters', 'usage', 'credits', 'alerts'])
type InProject = Record<string, string> & { project: string }
/** Typed as nothing, so that the names of each route stay those of its path. */
const ofProject: object = {
  params: {
    parse: ({ project, ...others }: InProject) => ({
      ...others,
      project: pagesOfTeam.has(project.slice(1).toLowerCase()) ? project.replace(/^~/, '') : project,
    }),
    stringify: ({ project, ...others }: InProject) => ({
      ...others,
      project: pagesOfTeam.has(project.toLowerCase()) ? `~${project}` : project,
    }),
  },
}
const workspace = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project',
  ...ofProject,
  validateSearch: (search) => ({
    ...listSearch(search),
    ...chartSearch(search),
    ...present({ show: text(search.show) }),
  }),
  component: lazyRouteComponent(() => import('./pages/workspace.tsx'), 'WorkspacePage'),
})
const workspaceAlias = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/workspace',
  ...ofProject,
  beforeLoad: ({ params }) => {
    throw redirect({ to: '/$team/$project', params })
  },
})
const reports = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/reports',
  ...ofProject,
  component: lazyRouteComponent(() => import('./pages/reports.tsx'), 'ReportsPage'),
})
const report = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/reports/$slug',
  ...ofProject,
  validateSearch: (search) => present({ edit: flag(search.edit), accessToken: text(search.accessToken) }),
  component: lazyRouteComponent(() => import('./pages/report.tsx'), 'ReportPage'),
})
const table = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/table',
  ...ofProject,
  validateSearch: (search) => ({
    ...listSearch(search),
    ...present({ page: number(search.page), columns: text(search.columns), compare: text(search.compare) }),
  }),
  component: lazyRouteComponent(() => import('./pages/table.tsx'), 'TablePage'),
})
const sweeps = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/sweeps',
  ...ofProject,
  validateSearch: (search) => present({ q: text(search.q) }),
  component: lazyRouteComponent(() => import('./pages/sweeps.tsx'), 'SweepsPage'),
})
const sweep = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/sweeps/$id',
  ...ofProject,
  component: lazyRouteComponent(() => import('./pages/sweep.tsx'), 'SweepPage'),
})
const registries = createRoute({
  getParentRoute: () => inside,
  path: '/registries',
  component: lazyRouteComponent(() => import('./pages/registries.tsx'), 'RegistriesPage'),
})
const registry = createRoute({
  getParentRoute: () => inside,
  path: '/registries/$registry',
  component: lazyRouteComponent(() => import('./pages/registry.tsx'), 'RegistryPage'),
})
const artifacts = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/artifacts',
  ...ofProject,
  component: lazyRouteComponent(() => import('./pages/artifacts.tsx'), 'ArtifactsPage'),
})
const artifactCollection = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/artifacts/$type/$collection',
  ...ofProject,
  component: lazyRouteComponent(() => import('./pages/artifact-collection.tsx'), 'ArtifactCollectionPage'),
})
/** The client of the wandb package prints these very paths. */
const artifactVersion = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/artifacts/$type/$collection/$version',
  ...ofProject,
  validateSearch: (search) =>
    present({
      view: oneOf('overview', 'files', 'lineage')(search.view),
      path: text(search.path),
      file: text(search.file),
    }),
  component: lazyRouteComponent(() => import('./pages/artifact-version.tsx'), 'ArtifactVersionPage'),
})
const experiment = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/runs/$id',
  ...ofProject,
  validateSearch: (search) => ({
    ...chartSearch(search),
    ...present({
      tab: oneOf(
        'charts',
        'overview',
        'console',
        'system',
        'files',
        'media',
        'artifacts',
        'code',
      )(search.tab),
      line: number(search.line),
      find: text(search.find),
      path: text(search.path),
      file: text(search.file),
    }),
  }),
  component: lazyRouteComponent(() => import('./pages/experiment.tsx'), 'ExperimentPage'),
})
/** The client of the wandb package knows the tabs as paths. */
const experimentTab = createRoute({
  getParentRoute: () => inside,
  path: '/$team/$project/runs/$id/$tab',
  ...ofProject,
  beforeLoad: ({ params }) => {
    const tabs = {
      overview: 'overview',
      logs: 'console',
      files: 'files',
      system: 'system',
      artifacts: 'artifacts',
      code: 'code',
      workspace: 'charts',
    } as const
    const tab = params.tab in tabs ? tabs[params.tab as keyof typeof tabs] : 'charts'
    throw redirect({ to: '/$team/$project/runs/$id', params, search: { tab } })
  },
})

const tree = root.addChildren([
  login,
  signup,
  invite,
  resetPassword,
  shared,
  inside.addChildren([
    home,
    authorize,
    settings,
    notifications,
    admin,
    sso,
    subscriptions,
    teamSettings,
    runs,
    run,
    cloneRun,
    usage,
    teamAlerts,
    teamAudit,
    organisationAudit,
    team,
    datastores,
    datastore,
    workspace,
    workspaceAlias,
    reports,
    report,
    table,
    sweeps,
    sweep,
    registries,
    registry,
    artifacts,
    artifactCollection,
    artifactVersion,
    experiment,
    experimentTab,
  ]),
])

export function createAppRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: 'intent',
    scrollRestoration: true,
    defaultErrorComponent: PageProblem,
    defaultPendingComponent: PageWaiting,
    defaultPendingMs: 300,
  })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
