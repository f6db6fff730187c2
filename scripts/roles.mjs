// Writes docs/roles.md from the permission table. A test fails when the file is older than the table.
import { writeFileSync } from 'node:fs'
import { matrixMarkdown } from '../api/src/policy-docs.ts'

writeFileSync(new URL('../docs/roles.md', import.meta.url), matrixMarkdown())
