/**
 * Reports: text and live panels that people write about a project, as the wandb client stores them too. A report that was
 * published is seen by who may see its project; changes are drafts until they are published. Workspaces that the
 * client saves are views as well.
 */
import type { ReportsDeps } from './deps.ts'
import { createDiscussing } from './discussing.ts'
import { createFollowers } from './followers.ts'
import { createPermission } from './permission.ts'
import { createReading } from './reading.ts'
import { createSharing } from './sharing.ts'
import { createWriting } from './writing.ts'

export type { StoredView, ViewKind } from './store.ts'
export type Reports = ReturnType<typeof createReports>

export function createReports(deps: ReportsDeps) {
  const permission = createPermission(deps)
  const followers = createFollowers(deps)
  const reading = createReading(deps, permission)
  const tellChanged = ({ teamId, projectId }: { teamId: string; projectId: string }) =>
    deps.events.publish({ type: 'project.changed', teamId, projectId })
  return {
    ...reading,
    ...createWriting(deps, permission, reading, followers, tellChanged),
    ...createDiscussing(deps, permission, followers, tellChanged),
    ...createSharing(deps, permission),
  }
}
