import { backendContract } from '../backend.contract.ts'
import { createFakeCluster } from './fake.ts'

backendContract('fake', async () => {
  const cpus = 4
  const cluster = createFakeCluster({ cpus })
  return {
    backend: cluster.open(),
    cpus,
    reopen: async () => cluster.open(),
    argvOf: (program) => ['fake', JSON.stringify(program)],
    outputOf: async (attemptId) => cluster.jobOf(attemptId)?.output ?? '',
    startsOf: async (attemptId) => cluster.jobOf(attemptId)?.starts ?? 0,
    impossible: { cpus: 1000 },
    close: async () => {},
  }
})
