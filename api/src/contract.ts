import { artifacts } from './artifacts.ts'
import { audit } from './audit.ts'
import { datastores } from './datastores.ts'
import { alerts, notifications } from './alerts.ts'
import { experiments } from './experiments.ts'
import { registries } from './registries.ts'
import { organisation } from './organisation.ts'
import { clusters, runs } from './runs.ts'
import { sweeps } from './sweeps.ts'
import { reports } from './reports.ts'
import { usage } from './usage.ts'
import { instance, invitations, me, projects, teams, users } from './teams.ts'

/** Every REST endpoint. Server, web, CLI, tests and the OpenAPI document derive from this value. */
export const contract = {
  instance,
  organisation,
  me,
  users,
  teams,
  invitations,
  projects,
  experiments,
  artifacts,
  registries,
  sweeps,
  audit,
  datastores,
  alerts,
  notifications,
  reports,
  usage,
  runs,
  clusters,
}

export type Contract = typeof contract

/** Endpoints that answer without a signed-in person; each checks its own token or says nothing private. */
export const openEndpoints: readonly string[] = [
  'instance.about',
  'instance.setUp',
  'instance.signUp',
  'invitations.get',
  'reports.shared',
  'reports.sharedPanels',
]
