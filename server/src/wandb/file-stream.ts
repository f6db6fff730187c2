/**
 * `POST /files/{entity}/{project}/{run}/file_stream`: history, system metrics, summary, console, signs of life and the
 * end of a run. The client repeats a chunk until it is answered 2xx, for a week; a final 4xx makes it drop the rest of
 * the run. So this reads whatever it can, refuses only what can never succeed, and answers when lines are durable.
 */
import { GridError } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import type { Experiments } from '../experiments/service.ts'
import type { ExperimentRef, StreamChunk } from '../experiments/types.ts'
import { isJsonObject, parseJsonObject } from '../lib/tolerant-json.ts'
import { createReplays } from './replays.ts'
import { consoleText } from './words.ts'

export type FileStreamAnswer = { exitcode: null; limits: Record<string, never>; stopped: boolean }

/**
 * @param experiments `append` resolves when a chunk is durable; one that comes again changes nothing.
 * @throws GridError not_found for a run that does not exist or was deleted: then the client stops, as it should.
 */
export function createFileStream(experiments: Pick<Experiments, 'append' | 'find' | 'tails' | 'history'>) {
  const replays = createReplays(experiments)
  return async (
    actor: Actor,
    ref: ExperimentRef,
    body: unknown,
    writer: string | undefined,
  ): Promise<FileStreamAnswer> => {
    const chunk = chunkOf(body, writer)
    // Each of several writers counts steps and rows of its own.
    if (chunk.history && !writer) chunk.history = await replays.placed(actor, ref, chunk.history)
    const { stopRequested } = await experiments.append(actor, ref, chunk)
    return { exitcode: null, limits: {}, stopped: stopRequested }
  }
}

/**
 * The request's body in our words. Tolerant: parts of a form we do not know are left out, never refused.
 * @param writer id of one of several processes that write this run; undefined for the ordinary single one.
 * @throws GridError invalid when the body is no JSON object at all.
 */
export function chunkOf(body: unknown, writer: string | undefined): StreamChunk {
  if (!isJsonObject(body)) throw new GridError('invalid', 'The body is not a JSON object')
  const files = isJsonObject(body.files) ? body.files : {}
  const history = linesOf(files['wandb-history.jsonl'])
  const system = linesOf(files['wandb-events.jsonl'])
  const output = linesOf(files['output.log'])
  const summary = summaryOf(files['wandb-summary.json'])
  return {
    ...(history && { history }),
    ...(system && { system }),
    ...(output && { console: { offset: output.offset, lines: output.lines.map(consoleText) } }),
    ...(summary && { summary }),
    ...(body.preempting === true && { preempting: true }),
    ...(body.complete === true && { complete: { exitCode: exitCodeOf(body.exitcode) } }),
    ...(writer && { sharedWriter: writer }),
  }
}

function linesOf(file: unknown): { offset: number; lines: string[] } | undefined {
  if (!isJsonObject(file) || !Array.isArray(file.content) || file.content.length === 0) return undefined
  const offset = Number(file.offset)
  return {
    offset: Number.isSafeInteger(offset) && offset >= 0 ? offset : 0,
    lines: file.content.map((line: unknown) => (typeof line === 'string' ? line : JSON.stringify(line))),
  }
}

/** The whole summary is one line and the newest wins. One that cannot be read is left out: the next will do. */
function summaryOf(file: unknown): Record<string, unknown> | undefined {
  const line = linesOf(file)?.lines.at(-1)
  return line === undefined ? undefined : parseJsonObject(line)
}

/** A writer that says it is complete without a code has nothing to complain about. */
function exitCodeOf(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) ? value : 0
}
