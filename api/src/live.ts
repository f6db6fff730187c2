import { z } from 'zod'

/** What `/api/live` sends: what changed, never the data. The reader asks again for what it shows. */
export const LiveMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('experiment.logged'), projectId: z.string(), experimentId: z.string() }),
  z.object({ type: z.literal('experiment.changed'), projectId: z.string(), experimentId: z.string() }),
  z.object({ type: z.literal('console.written'), projectId: z.string(), experimentId: z.string() }),
  z.object({ type: z.literal('files.changed'), projectId: z.string(), experimentId: z.string() }),
  z.object({ type: z.literal('sweep.changed'), projectId: z.string(), sweepId: z.string() }),
  z.object({ type: z.literal('project.changed'), projectId: z.string() }),
  z.object({ type: z.literal('datastore.changed'), datastoreId: z.string() }),
  z.object({ type: z.literal('team.changed') }),
  z.object({ type: z.literal('usage.changed') }),
  /** The reader has been told something, or has read it elsewhere. */
  z.object({ type: z.literal('notifications.changed') }),
])
export type LiveMessage = z.infer<typeof LiveMessage>
