/**
 * Parts of the machine that some tests need and that are installed on demand: Python environments, a browser, an S3
 * server. Where one cannot be had (no root, no network), its tests are skipped by name; with CI=true that is a failure,
 * or CI would be green for having tested nothing.
 */

/**
 * @param name what the skipped tests say they lack, such as `chromium`.
 * @param get finds or installs the part; throws when it cannot be had.
 * @returns the part, or undefined, to be used as `describe.skipIf(!part)('…')`.
 */
export async function part<T>(name: string, get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get()
  } catch (error) {
    const reason = (error as Error).message
    if (process.env.CI === 'true')
      throw new Error(`CI needs ${name}, which is missing: ${reason}`, { cause: error })
    console.warn(`Tests are skipped for want of ${name}: ${reason}`)
    return undefined
  }
}
