#!/usr/bin/env node
import { processIo } from './process-io.ts'
import { runGrid } from './program.ts'

process.exitCode = await runGrid(processIo(), process.argv.slice(2))
