import { expect, test } from 'vitest'
import { rewriteOlderSpellings } from './older-spellings.ts'

const rewrite = (line: string) => {
  const { argv, warnings } = rewriteOlderSpellings(line.split(' '))
  return { line: argv.join(' '), warnings }
}

test.each([
  ['teams vision', 'team vision'],
  ['summary --global', 'status --global'],
  ['-o json teams', '-o json team'],
  ['artifacts --download-dir x bob:y', 'artifacts --download_dir x bob:y'],
])('%s is another name for %s and needs no warning', (then, now) => {
  expect(rewrite(then)).toEqual({ line: now, warnings: [] })
})

test('a flag that was renamed works and says its name of today', () => {
  expect(rewrite('logs --n_lines 50 bob:x')).toEqual({
    line: 'logs --tail-lines 50 bob:x',
    warnings: ['--n_lines is deprecated, use --tail-lines'],
  })
  expect(rewrite('logs --max_lines=50 bob:x').line).toBe('logs --tail-lines=50 bob:x')
})

test('a flag whose work happens by itself is dropped with its value', () => {
  expect(rewrite('logs --page 2 --use_pager bob:x')).toEqual({
    line: 'logs bob:x',
    warnings: [
      '--page is deprecated, leave it away (all lines are printed)',
      '--use_pager is deprecated, leave it away (pipe into your pager)',
    ],
  })
})

test('nothing behind -- is touched', () => {
  expect(rewrite('logs -- --n_lines').line).toBe('logs -- --n_lines')
})

test('no arguments at all are fine', () => {
  expect(rewriteOlderSpellings([])).toEqual({ argv: [], warnings: [] })
  expect(rewriteOlderSpellings(['-o'])).toEqual({ argv: ['-o'], warnings: [] })
})
