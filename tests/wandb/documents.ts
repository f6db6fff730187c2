/** The GraphQL documents that an installed wandb client carries: read from its own files, never copied here. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export type ClientDocument = { name: string; text: string; from: 'core' | 'python' }

/**
 * @param python path of the environment's `python`.
 * @returns every operation found in `wandb-core` and in the client's generated Python modules.
 */
export async function clientDocuments(python: string): Promise<ClientDocument[]> {
  const root = join(dirname(dirname(python)), 'lib')
  const [version] = (await readdir(root)).filter((name) => name.startsWith('python3'))
  const folder = join(root, version!, 'site-packages', 'wandb')
  const core = await readFile(join(folder, 'bin', 'wandb-core'), 'latin1')
  const documents = [...core.matchAll(coreOperation)].map(([text]) => ({
    text: text.trim(),
    from: 'core' as const,
  }))
  const modules = (await readdir(folder, { recursive: true })).filter((path) =>
    path.endsWith('_generated/operations.py'),
  )
  const generated: { text: string; from: 'python' }[] = []
  for (const path of modules) {
    const source = await readFile(join(folder, path), 'utf8')
    for (const [, text = ''] of source.matchAll(pythonText)) generated.push({ text, from: 'python' })
  }
  return [...documents, ...generated].flatMap(({ text, from }) => {
    const name = /\b(?:query|mutation)\s+(\w+)/.exec(text)?.[1]
    return name ? [{ name, text, from }] : []
  })
}

// A Go string constant has no end mark: an operation ends with the first brace at the start of a line.
const coreOperation =
  /(?:query|mutation) [A-Za-z]+ ?[({][\x20-\x7e\n\t]{10,6000}?\n\}(?:\nfragment [\x20-\x7e\n\t]{10,6000}?\n\})*/g
const pythonText = /^\w+_GQL\s*=\s*"""([\s\S]*?)"""/gm
