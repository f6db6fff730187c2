import { type Experiment, GridError } from '@teamgrid/api'
import type { Context } from './context.ts'
import { parseReference } from './references.ts'
import { minute } from './time.ts'

/** What a reference means: one experiment, or a run with all of its experiments. */
export type Resolved = { kind: 'experiment' | 'run'; name: string; experiments: Experiment[] }

/**
 * Asks the server what `[owner:]name` is: mine first, then my default team's, then that of all my teams.
 *
 * @param team looks there only; `GRID_ENTITY` is merely looked at first.
 * @throws GridError invalid for a malformed or ambiguous reference, not_found for nothing the caller may see.
 */
export async function resolve(context: Context, text: string, team?: string): Promise<Resolved> {
  const { target } = parseReference(text)
  const { client } = await context.connection()
  const ref = text.trim()
  const preferred = team === undefined ? context.io.env['GRID_ENTITY'] : undefined
  const found = await client.experiments
    .resolve({ ref, team: team ?? (preferred || undefined) })
    .catch((error: unknown) => {
      if (!preferred || !(error instanceof GridError) || error.code !== 'not_found') throw error
      return client.experiments.resolve({ ref })
    })
  return meaningOf(text, target, found)
}

/** Pure part of `resolve`: one experiment, one run, or a refusal that lists the candidates. */
export function meaningOf(text: string, target: string, found: readonly Experiment[]): Resolved {
  const [first, ...rest] = found
  if (!first) throw new GridError('not_found', `No run or experiment "${text}", or it is not yours to see`)
  const isOneRun = found.every(
    (one) => one.group === target && one.team === first.team && one.project === first.project,
  )
  if (isOneRun) return { kind: 'run', name: target, experiments: inOrder(found) }
  if (rest.length === 0) return { kind: 'experiment', name: first.name, experiments: [first] }
  const listed = found
    .slice(0, 10)
    .map(
      (one) =>
        `  ${one.team}/${one.project}/${one.slug}  ${one.name}, by ${one.createdBy.username}, ${minute(one.createdAt)}`,
    )
  if (found.length > listed.length) listed.push(`  … and ${found.length - listed.length} more`)
  throw new GridError('invalid', `"${text}" names ${found.length} experiments`, {
    hint: `Say which one:\n${listed.join('\n')}`,
  })
}

/** Experiments as people count them: `x-exp2` before `x-exp10`. */
function inOrder(found: readonly Experiment[]): Experiment[] {
  return [...found].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}

/** The run an experiment belongs to; one that has no group is a run by itself. */
export function runOf(experiment: Experiment): string {
  return experiment.group || experiment.name
}

/**
 * A team may keep logs and files of others out of the command line, as Grid had it in 2022. The server refuses; what is
 * added here is where to look instead.
 */
export async function orPointToTheWeb<Result>(
  context: Context,
  experiment: Experiment,
  read: () => Promise<Result>,
): Promise<Result> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof GridError) || error.details.policy !== 'cli_cross_user_logs_artifacts') throw error
    const { url } = await context.connection()
    throw new GridError(error.code, error.message, {
      ...error.details,
      hint: `See it in the web app: ${webAddress(url, experiment)}`,
    })
  }
}

/** Where an experiment is in the web app; the form that the wandb client prints too. */
export function webAddress(url: string, experiment: Pick<Experiment, 'team' | 'project' | 'slug'>): string {
  return `${url}/${[experiment.team, experiment.project, 'runs', experiment.slug].map(encodeURIComponent).join('/')}`
}
