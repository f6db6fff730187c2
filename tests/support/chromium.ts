/** The browser of the end-to-end tests: Debian's own Chromium, headless, driven by playwright-core. */
import { chromium, type Browser } from 'playwright-core'
import { exists, run, runOk, withLock } from './programs.ts'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A container's /dev/shm is often 64 MB, and then tabs crash.
  '--disable-dev-shm-usage',
]

/**
 * @returns the absolute path of a Chromium; as root on Debian it is installed if missing.
 * @throws when there is none and none can be installed.
 */
export async function chromiumPath(): Promise<string> {
  const found = await findChromium()
  if (found) return found
  if (process.getuid?.() !== 0)
    throw new Error('There is no Chromium, and only root can install it (Debian: apt-get install chromium).')
  return await withLock('chromium', async () => {
    const installedMeanwhile = await findChromium()
    if (installedMeanwhile) return installedMeanwhile
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    await runOk('apt-get', ['update', '-qq'], { env })
    await runOk(
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'],
      { env },
    )
    const installed = await findChromium()
    if (!installed) throw new Error('Chromium was installed but is not where Debian puts it.')
    return installed
  })
}

/** Starts a browser; close it after the tests. @throws when there is no Chromium, see `chromiumPath`. */
export async function launch(): Promise<Browser> {
  return await chromium.launch({ executablePath: await chromiumPath(), args: flags, headless: true })
}

async function findChromium(): Promise<string | undefined> {
  const named = process.env.CHROMIUM_PATH
  for (const place of named ? [named] : places) {
    if (!(await exists(place))) continue
    const { code } = await run(place, ['--version'])
    if (code === 0) return place
  }
  return undefined
}
