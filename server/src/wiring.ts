import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { createAccess } from './access.ts'
import { createDeeds } from './activity.ts'
import { alertRoutes, notificationRoutes } from './alerts/routes.ts'
import { createAlerts } from './alerts/service.ts'
import { artifactFileRoutes } from './artifacts/file-routes.ts'
import { artifactRoutes, registryRoutes } from './artifacts/routes.ts'
import { createArtifacts } from './artifacts/service.ts'
import { datastoreRoutes } from './datastores/routes.ts'
import { agentRoutes } from './compute/agent-routes.ts'
import { createCompute } from './compute/service.ts'
import { createDatastores } from './datastores/service.ts'
import { datastoreByteRoutes } from './datastores/byte-routes.ts'
import { createEvents } from './events.ts'
import { experimentRoutes } from './experiments/routes.ts'
import { createExperiments } from './experiments/service.ts'
import { exportRoutes } from './exports/routes.ts'
import { createExports } from './exports/service.ts'
import { createApp } from './http/app.ts'
import { createAuthenticate } from './http/auth.ts'
import { blobsEdge } from './http/blobs.ts'
import type { Clock } from './lib/clock.ts'
import { clusterRoutes, codeRoutes, runRoutes } from './runs/routes.ts'
import { createRuns } from './runs/service.ts'
import { reportRoutes } from './reports/routes.ts'
import { createReports } from './reports/service.ts'
import { openBucket } from './stores/blob/bucket.ts'
import { createOutbound, type PrivateAddresses } from './lib/outbound.ts'
import { createSealed } from './lib/sealed.ts'
import { createSignedUrls } from './lib/signed.ts'
import { createMailer, type MailSettings } from './mail/mailer.ts'
import { usageRoutes } from './usage/routes.ts'
import { createUsage } from './usage/service.ts'
import { sweepRoutes } from './sweeps/routes.ts'
import { createSweeps } from './sweeps/service.ts'
import type { BlobStore } from './stores/blob/blob-store.ts'
import type { MetricStore } from './stores/clickhouse/metric-types.ts'
import type { Database } from './stores/postgres/schema.ts'
import { createIdentity } from './teams/identity.ts'
import { auditFileRoutes } from './teams/audit-file-routes.ts'
import {
  auditRoutes,
  instanceRoutes,
  invitationRoutes,
  meRoutes,
  organisationRoutes,
  projectRoutes,
  teamRoutes,
  userRoutes,
} from './teams/routes.ts'
import type { SsoSettings } from './teams/sso.ts'
import { createSsoSettings } from './teams/sso-settings.ts'
import { createTeams } from './teams/service.ts'
import { version } from './version.ts'
import { wandbEdge } from './wandb/index.ts'

export type Engines = {
  db: Kysely<Database>
  metrics: MetricStore
  blobs: BlobStore
  /** Resolves when every engine answers. */
  ready: () => Promise<void>
}

export type WiringOptions = {
  /** Signs sessions and links. */
  secret: string
  operatorToken: string
  /** Null: believe the request about the address it came to. */
  publicUrl: string | null
  /** Proxies that are believed about where a request came from; by default those on this machine. */
  trustedProxies?: string[]
  /** What the environment fixes of single sign-on. */
  sso?: Partial<SsoSettings>
  /** Null: no mail server. */
  mail?: MailSettings | null
  /** Private addresses that webhooks may go to; by default none. */
  privateWebhooks?: PrivateAddresses
  /** Private addresses that datastores may be fetched from; by default none. */
  privateSources?: PrivateAddresses
  /** For what is being fetched; kept over restarts. */
  scratch?: string
  /** Where links in mails lead; by default `publicUrl`. */
  linkOrigin?: string
  clock: Clock
  webFolder?: string
  log: (text: string, error: unknown) => void
}

/** The slices and edges over opened engines: the only place that knows everything. Used by `main.ts` and by tests. */
export async function wire(engines: Engines, options: WiringOptions) {
  const { db, metrics, blobs } = engines
  const { clock, secret, publicUrl } = options
  const events = createEvents()
  const deeds = createDeeds()
  const access = createAccess({ db })
  const signed = createSignedUrls({ secret, clock })
  const sealed = createSealed(secret)
  const mailer = createMailer({ db, sealed, settings: options.mail ?? null, clock, log: options.log })
  const outbound = createOutbound({ allowPrivate: options.privateWebhooks ?? [] })
  const ssoSettings = createSsoSettings({
    db,
    access,
    sealed,
    clock,
    outbound,
    trustedOutbound: createOutbound({ allowPrivate: 'all' }),
    environment: options.sso ?? {},
    publicUrl,
  })
  const identity = createIdentity({
    db,
    secret,
    publicUrl: publicUrl ?? 'http://localhost',
    clock,
    ssoSettings,
  })
  const teams = createTeams({ db, access, identity, ssoSettings, events, deeds, clock, mail: mailer })
  const experiments = createExperiments({ db, access, teams, metrics, blobs, signed, events, deeds, clock })
  const sweeps = createSweeps({ db, access, teams, experiments, events, deeds, clock })
  const artifacts = createArtifacts({ db, access, teams, experiments, blobs, signed, events, deeds, clock })
  const alerts = createAlerts({
    db,
    access,
    teams,
    experiments,
    mailer,
    sealed,
    outbound,
    events,
    linkOrigin: options.linkOrigin ?? publicUrl ?? '',
    clock,
    log: options.log,
  })
  artifacts.onNews(alerts.artifactNews)
  const usage = createUsage({
    db,
    access,
    teams,
    notifications: alerts.notifications,
    events,
    clock,
    linkOrigin: options.linkOrigin ?? publicUrl ?? '',
  })
  deeds.listen(alerts.deeds)
  const sources = createOutbound({
    allowPrivate: options.privateSources ?? [],
    setting: 'TEAMGRID_PRIVATE_SOURCES',
  })
  const datastores = createDatastores({
    db,
    access,
    teams,
    blobs,
    signed,
    events,
    deeds,
    clock,
    notifications: alerts.notifications,
    sealed,
    outbound: sources,
    openBucket: (at) => openBucket(at, sources.agents()),
    scratch: options.scratch ?? join(tmpdir(), `teamgrid-scratch-${process.pid}`),
    log: options.log,
  })
  const exports = createExports({ db, access, teams, experiments, datastores, metrics, blobs, events, clock })
  const reports = createReports({
    db,
    access,
    teams,
    experiments,
    notifications: alerts.notifications,
    sealed,
    events,
    deeds,
    linkOrigin: options.linkOrigin ?? publicUrl ?? '',
    clock,
  })
  const compute = createCompute({ db, access, teams, clock, log: options.log })
  const runs = createRuns({
    db,
    access,
    teams,
    experiments,
    datastores,
    compute,
    blobs,
    sealed,
    publicUrl,
    usage,
    events,
    clock,
    log: options.log,
  })
  const authenticate = createAuthenticate({
    teams,
    identity,
    operatorToken: options.operatorToken,
    publicUrl,
  })

  const app: FastifyInstance = await createApp({
    router: {
      instance: instanceRoutes(teams, version),
      organisation: organisationRoutes(teams),
      me: meRoutes(teams),
      users: userRoutes(teams),
      teams: teamRoutes(teams),
      invitations: invitationRoutes(teams),
      projects: projectRoutes(teams),
      experiments: experimentRoutes(experiments),
      datastores: datastoreRoutes(datastores),
      sweeps: sweepRoutes(sweeps),
      artifacts: artifactRoutes(artifacts),
      registries: registryRoutes(artifacts),
      audit: auditRoutes(teams),
      alerts: alertRoutes(alerts),
      notifications: notificationRoutes(alerts),
      reports: reportRoutes(reports),
      usage: usageRoutes(usage),
      runs: runRoutes(runs),
      clusters: clusterRoutes(compute),
    },
    authenticate,
    access,
    identity,
    events,
    version,
    publicUrl,
    trustedProxies: options.trustedProxies ?? ['loopback'],
    webFolder: options.webFolder ?? fileURLToPath(new URL('../../web/dist', import.meta.url)),
    ready: engines.ready,
    edges: [
      wandbEdge({
        access,
        teams,
        experiments,
        sweeps,
        artifacts,
        alerts,
        reports,
        authenticate,
        log: options.log,
      }),
      artifactFileRoutes({ artifacts, authenticate }),
      datastoreByteRoutes({ datastores, authenticate }),
      agentRoutes({ compute, authenticate }),
      codeRoutes({ runs, authenticate }),
      auditFileRoutes({ teams, authenticate }),
      exportRoutes({ exports, authenticate }),
      blobsEdge({
        signed,
        blobs,
        isStillMember: access.mayStillUse,
        async store(claim, body, sizeBytes) {
          switch (claim.do) {
            case 'put-file':
              await experiments.storeFile(claim.experimentId, claim.path, body)
              return
            case 'put-artifact':
              await artifacts.storeBlob(claim.artifactId, claim.md5Hex, body, sizeBytes)
              return
            case 'put-part':
              return artifacts.storePart(claim, body, sizeBytes)
            case 'put-manifest':
              await artifacts.storeManifest(claim.manifestId, body)
              return
            default:
              return claim satisfies never
          }
        },
      }),
    ],
    log: options.log,
  })
  return {
    app,
    access,
    events,
    signed,
    sealed,
    mailer,
    identity,
    teams,
    experiments,
    sweeps,
    artifacts,
    datastores,
    alerts,
    reports,
    usage,
    compute,
    runs,
  }
}
