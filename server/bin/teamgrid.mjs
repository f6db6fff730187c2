#!/usr/bin/env node
// `teamgrid [start] …` runs the server, `teamgrid admin …` administers it; both on the pinned Node, which runs our
// TypeScript as it is. Plain JavaScript, because any Node may start this file.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run } from '../../scripts/workspace.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const node = path('../../node_modules/node/bin/node')
const [command, ...rest] = process.argv.slice(2)
if (!existsSync(node)) {
  console.error('Teamgrid is not installed yet; run "npm ci" in the checkout.')
  process.exit(1)
}
const args =
  command === 'admin'
    ? [path('../../cli/src/admin/main.ts'), ...rest]
    : [path('../src/main.ts'), ...(command === 'start' ? rest : process.argv.slice(2))]
// The folder of the person, not of the checkout: what they name on the command line is relative to it.
process.exit(await run(node, args, { cwd: process.cwd() }))
