import { expect, test } from 'vitest'
import { strayPathOf } from './patch-paths.ts'

const patch = (path: string) =>
  `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-a\n+b\n`

test('a patch that writes outside the folder, into .git, or makes a link is found out', () => {
  expect(strayPathOf(patch('../x'))).toBe('a/../x')
  expect(strayPathOf(patch('src/../../x'))).toBeDefined()
  expect(strayPathOf(patch('.git/hooks/post-checkout'))).toBeDefined()
  expect(strayPathOf('--- a/x\n+++ /etc/passwd\n')).toBe('/etc/passwd')
  expect(strayPathOf('diff --git a/x b/x\nrename from x\nrename to ../y\n')).toBe('../y')
  expect(strayPathOf('diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n')).toBe(
    'a symbolic link',
  )
})

test('an ordinary patch is fine, also of new files and of names with dots', () => {
  expect(strayPathOf(patch('src/a..b.py'))).toBeUndefined()
  expect(strayPathOf('--- /dev/null\n+++ b/new.py\n')).toBeUndefined()
  expect(strayPathOf('')).toBeUndefined()
})
