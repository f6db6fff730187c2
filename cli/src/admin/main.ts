#!/usr/bin/env node
import { processIo } from '../process-io.ts'
import { runAdmin } from './program.ts'

process.exitCode = await runAdmin(processIo(), process.argv.slice(2))
