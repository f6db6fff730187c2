/**
 * Installs what tests need and cannot bring themselves: `node tests/support/prepare.ts [name …]`. What cannot be had is
 * said and left out (its tests are skipped); with CI=true it ends with code 1.
 */
import { chromiumPath } from './chromium.ts'
import { part } from './parts.ts'
import { environments, venv, type EnvironmentName } from './python.ts'

const parts: Record<string, () => Promise<unknown>> = { chromium: chromiumPath }
for (const name of Object.keys(environments) as EnvironmentName[]) parts[name] = () => venv(name)

/** Large, and of no test that `npm test` runs. */
const onlyByName = new Set(['wandb-system-tests'])
const names =
  process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts).filter((name) => !onlyByName.has(name))
for (const name of names) {
  const get = parts[name]
  if (!get) throw new Error(`There is no part called ${name}; there are ${Object.keys(parts).join(', ')}.`)
  const startedAt = performance.now()
  try {
    const found = await part(name, get)
    if (found !== undefined)
      console.log(`${name}: ready (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}
