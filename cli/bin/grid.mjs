#!/usr/bin/env node
// `grid …`. As published there is one bundled file that any supported Node runs; in the checkout the TypeScript source
// runs on the pinned Node.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const node = path('../../node_modules/node/bin/node')

if (existsSync(path('../src/main.ts')) && existsSync(node)) {
  const child = spawn(node, [path('../src/main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      // Ctrl-C already reaches every process of the terminal.
      if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal)
    })
  child.once('exit', (code, signal) => {
    if (!signal) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
} else {
  await import('../dist/grid.mjs')
}
