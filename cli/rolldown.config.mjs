import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

// One file without dependencies, so that installing the command alone takes a second and cannot break on a peer.
export default {
  input: 'src/main.ts',
  platform: 'node',
  output: {
    file: 'dist/grid.mjs',
    format: 'esm',
    codeSplitting: false,
    minify: { mangle: false, compress: true },
  },
  plugins: [licenses()],
}

/** What is bundled keeps its licence text, as all of these licences ask. */
function licenses() {
  return {
    name: 'licenses',
    generateBundle(_options, bundle) {
      const folders = new Set(
        Object.values(bundle)
          .flatMap((chunk) => Object.keys(chunk.modules ?? {}))
          .filter((id) => id.includes('/node_modules/'))
          .map(packageFolder),
      )
      const texts = [...folders]
        .sort((a, b) => a.localeCompare(b))
        .map((folder) => {
          const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
          const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
          const text = file ? readFileSync(join(folder, file), 'utf8').trim() : ''
          return `${name} ${version} (${license})\n\n${text}\n`
        })
      this.emitFile({
        type: 'asset',
        fileName: 'third-party-licenses.txt',
        source: texts.join(`\n${'-'.repeat(80)}\n\n`),
      })
    },
  }
}

function packageFolder(id) {
  let folder = dirname(id.replace(/\?.*$/, ''))
  // Some packages hold a nameless package.json deeper inside, only to say "type": "module".
  while (
    !existsSync(join(folder, 'package.json')) ||
    !JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version
  ) {
    folder = dirname(folder)
  }
  return folder
}
