/** `npm run dev`: the server, restarted when its source changes, and the web app with hot reload at port 5173. */
import { ensureInstalled, node, run } from './workspace.mjs'

await ensureInstalled()
const args = process.argv.slice(2)
// Where the web app's development server finds the API; see web/vite.config.ts.
process.env.TEAMGRID_DEV_SERVER ??= `http://127.0.0.1:${process.env.TEAMGRID_PORT || 8080}`
const server = run(node, ['--watch', '--watch-preserve-output', 'server/src/main.ts', ...args])
const web = run(node, ['node_modules/vite/bin/vite.js', 'web'])
const code = await Promise.race([server, web])
// One without the other is of no use.
process.kill(process.pid, 'SIGTERM')
await Promise.all([server, web])
process.exit(code)
