/** Tables and plots beyond this are for downloading: parsing them would freeze the page. */
const bytesMax = 64 * 1024 * 1024

/** A logged JSON file. The client writes NaN and Infinity as bare words, which JSON does not know; they become null. */
export async function readJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(url, { signal })
  if (!response.ok) throw new Error(`The file could not be read: the server answered ${response.status}.`)
  if (Number(response.headers.get('content-length') ?? 0) > bytesMax)
    throw new Error('This file is too large to show here. Download it from the Files tab.')
  return parseLoose(await response.text())
}

export function parseLoose(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Only outside of strings: a quoted "NaN" stays text.
    return JSON.parse(
      text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (part) =>
        part.startsWith('"') ? part : 'null',
      ),
    )
  }
}
