/** Both command lines in the test's own process, against a server in the same process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runAdmin } from '../../cli/src/admin/program.ts'
import type { Io } from '../../cli/src/io.ts'
import { runGrid } from '../../cli/src/program.ts'
import { memoryIo } from '../../cli/src/test-io.ts'
import type { TestApp } from './app.ts'

export type GridResult = { code: number; out: string; err: string }
type Given = { answers?: string[]; tty?: boolean }

/** A folder to work in, and `grid` as anybody with a key, and `teamgrid admin` as the operator. */
export async function commandLines(app: TestApp) {
  const folder = await mkdtemp(join(tmpdir(), 'teamgrid-cli-'))
  await writeFile(join(folder, 'operator-token'), app.operatorToken)
  const common = {
    home: folder,
    cwd: folder,
    fetch: ((request, init) => app.inject(new Request(request, init))) satisfies Io['fetch'],
    now: () => new Date(),
  }
  async function run(
    program: (io: Io, argv: readonly string[]) => Promise<number>,
    env: Record<string, string>,
    argv: string[],
    given: Given,
  ): Promise<GridResult> {
    const io = memoryIo({ ...common, ...given, env, columns: 200 })
    const code = await program(io, argv)
    return { code, out: io.out(), err: io.err() }
  }
  return {
    folder,
    grid: (person: { key: string }, argv: string[], given: Given = {}) =>
      run(runGrid, { GRID_URL: app.origin, GRID_API_KEY: person.key }, argv, given),
    admin: (argv: string[], given: Given = {}) =>
      run(runAdmin, { TEAMGRID_URL: app.origin, TEAMGRID_DATA: folder }, argv, given),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
