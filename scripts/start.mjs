/** `npm start [-- --demo]`: installs what is missing, builds the web app if it is stale, and runs the server. */
import { ensureInstalled, ensureWebBuilt, node, run } from './workspace.mjs'

const args = process.argv.slice(2)
// `npm start --demo` (without the two dashes) gives the option to npm, which passes it on like this.
if (process.env.npm_config_demo && !args.includes('--demo')) args.push('--demo')
await ensureInstalled()
await ensureWebBuilt()
process.exit(await run(node, ['server/src/main.ts', ...args]))
