/**
 * Names in a patch that would leave the folder it is applied in. `git apply` refuses them too; a patch that holds one
 * was not made by `git diff`, so nothing of it is applied.
 */
export function strayPathOf(patch: string): string | undefined {
  for (const line of patch.split('\n')) {
    const named = /^(?:---|\+\+\+|rename from|rename to|copy from|copy to) "?(.*?)"?(?:\t.*)?\r?$/.exec(
      line,
    )?.[1]
    const both = /^diff --git "?(.*?)"? "?(.*?)"?\r?$/.exec(line)
    const stray = [named, both?.[1], both?.[2]].find((path) => path !== undefined && leaves(path))
    if (stray !== undefined) return stray
    // A link in the patch could lead a later file of it out of the folder.
    if (/^(?:new file mode|new mode) 120000\r?$/.test(line)) return 'a symbolic link'
  }
  return undefined
}

function leaves(path: string): boolean {
  if (path === '/dev/null') return false
  const parts = path.replace(/^[abciow]\//, '').split(/[/\\]/)
  return path.startsWith('/') || parts.includes('..') || parts.some((part) => part.toLowerCase() === '.git')
}
