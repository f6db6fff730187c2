/** Experiments: what scripts log, and what team mates see of it. The themes are in the files composed here. */
import type { Actor } from '../actor.ts'
import type { ExperimentsDeps, Parts } from './deps.ts'
import { createExport } from './export.ts'
import { createFactWriter } from './fact-writer.ts'
import { createFiles } from './files.ts'
import { createInRun } from './in-run.ts'
import { createInSweep } from './in-sweep.ts'
import { createLife } from './life.ts'
import { createNews, createWatching } from './news.ts'
import { createMover } from './move.ts'
import { pointsOf } from './points.ts'
import { createPurge } from './purge.ts'
import { createReader } from './read.ts'
import { createReassigning } from './reassign.ts'
import { createRebuild } from './rebuild.ts'
import { createStatus } from './status.ts'
import { allWithDatabase, withDatabase } from './trouble.ts'
import type { ExperimentRef } from './types.ts'
import { createWriter } from './write.ts'

export type { ExperimentsDeps } from './deps.ts'
export { parametersIn } from './in-sweep.ts'
export type Experiments = ReturnType<typeof createExperiments>

export function createExperiments(deps: ExperimentsDeps) {
  const news = createNews()
  const parts: Parts = { ...deps, facts: createFactWriter(deps), news }
  const { purge, noteProject } = createPurge(parts)
  deps.teams.onProjectDelete(noteProject)
  deps.teams.onReassign(createReassigning(parts))
  const mover = createMover(parts)
  const { change, removeNamed, ...life } = createLife({ ...parts, purge, finishMoves: mover.finishMoves })
  const files = createFiles(parts)
  const { details, shown, ...reader } = createReader(parts, files)
  const writer = createWriter(parts)
  return {
    ...writer,
    /** For runs alone. */
    inRun: createInRun(parts, writer.append),
    pointsOf,
    ...allWithDatabase(life),
    ...allWithDatabase(mover),
    ...files,
    ...allWithDatabase(reader),
    ...allWithDatabase(createExport(parts)),
    ...allWithDatabase(createStatus(parts)),
    ...allWithDatabase(createRebuild(parts)),
    ...allWithDatabase(createInSweep(parts)),
    /** Changes name, notes or tags. */
    change: async (
      actor: Actor,
      { team, project, slug, ...input }: ExperimentRef & Parameters<typeof change>[2],
    ) => await withDatabase(async () => details(await change(actor, { team, project, slug }, input))),
    /** For slices above: hear of ends, lines and alerts. */
    onNews: news.listen,
    watching: createWatching(parts),
    shown,
    delete: (actor: Actor, ref: ExperimentRef) => withDatabase(() => removeNamed(actor, ref)),
  }
}
