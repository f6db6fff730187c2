/** Which files of a folder are its code. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ignore, { type Ignore } from 'ignore'

/** Never code, whatever the rules say. */
const skipped = new Set([
  '.git',
  '.grid',
  '__pycache__',
  '.venv',
  'venv',
  'node_modules',
  'wandb',
  'grid_artifacts',
])

/**
 * Paths below `root`, sorted, `/` between folders. `.gridignore` alone decides where there is one; otherwise every
 * `.gitignore` and `.dockerignore`, each for its own folder, with all of their syntax, `!` as well.
 */
export async function codeFiles(root: string): Promise<string[]> {
  const own = await text(join(root, '.gridignore'))
  const whole = own === undefined ? undefined : ignore().add(own)
  const files: string[] = []
  await walk('', [])
  return files.sort()

  async function walk(at: string, outer: { at: string; rules: Ignore }[]): Promise<void> {
    const folder = join(root, at)
    const rules = [...outer]
    if (whole === undefined) {
      const here = [await text(join(folder, '.gitignore')), await text(join(folder, '.dockerignore'))]
      const given = here.filter((each) => each !== undefined)
      if (given.length > 0) rules.push({ at, rules: ignore().add(given.join('\n')) })
    }
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue
      const path = at === '' ? entry.name : `${at}/${entry.name}`
      const isFolder = entry.isDirectory()
      const asked = isFolder ? `${path}/` : path
      if (whole ? whole.ignores(asked) : isIgnored(rules, asked)) continue
      if (isFolder) await walk(path, rules)
      else if (entry.isFile() || entry.isSymbolicLink()) files.push(path)
    }
  }
}

/** The innermost file that says anything about a path decides. */
function isIgnored(rules: { at: string; rules: Ignore }[], path: string): boolean {
  for (const each of rules.toReversed()) {
    const { ignored, unignored } = each.rules.test(each.at === '' ? path : path.slice(each.at.length + 1))
    if (ignored) return true
    if (unignored) return false
  }
  return false
}

async function text(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined)
}
