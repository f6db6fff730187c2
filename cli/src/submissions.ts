/** Runs that were submitted, as the server keeps them; scripts that people start themselves have none. */
import { GridError, type RunDetails } from '@teamgrid/api'
import type { Context } from './context.ts'

/** @returns undefined where a name is that of experiments which nobody submitted. */
export async function findSubmission(
  context: Context,
  reference: string,
  team?: string,
): Promise<RunDetails | undefined> {
  const { client } = await context.connection()
  return await client.runs
    .find({ reference, ...(team === undefined ? {} : { team }) })
    .catch((error: unknown) => {
      if (error instanceof GridError && (error.code === 'not_found' || error.code === 'forbidden'))
        return undefined
      throw error
    })
}

/** As `findSubmission`. @throws GridError not_found, for a run that was not submitted. */
export async function submission(context: Context, reference: string, team?: string): Promise<RunDetails> {
  const found = await findSubmission(context, reference, team)
  if (found) return found
  throw new GridError('not_found', `There is no run "${reference}" that was submitted with grid run`, {
    hint: '"grid status --global" and "grid history --global" list what there is.',
  })
}
