/** `npm run bench [-- name …]`: runs the scripts of `bench/` in turn; each prints JSON. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureInstalled, fail, node, root, run } from './workspace.mjs'

await ensureInstalled()
const all = (await readdir(join(root, 'bench')).catch(() => []))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => name.slice(0, -3))
  .sort()
const names = process.argv.slice(2)
const unknown = names.filter((name) => !all.includes(name))
if (unknown.length > 0)
  fail(`There is no bench called ${unknown.join(', ')}; there are ${all.join(', ') || 'none'}.`)

const failed = []
for (const name of names.length > 0 ? names : all) {
  console.error(`— ${name}`)
  if ((await run(node, [`bench/${name}.ts`])) !== 0) failed.push(name)
}
if (failed.length > 0) fail(`Failed: ${failed.join(', ')}`)
