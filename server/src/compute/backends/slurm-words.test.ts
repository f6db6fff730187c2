import { describe, expect, test } from 'vitest'
import { submissionOf } from '../backend.contract.ts'
import {
  isUnreachable,
  jobFormat,
  readJobs,
  readPartitions,
  readShownJob,
  reasonIn,
  saidBy,
  sbatchOptions,
} from './slurm-words.ts'

const attemptId = '01900000-0000-7000-8000-000000000001'
const line = (...values: string[]) => values.map((value) => `${value.padEnd(5)}\u001f`).join('')

describe('what squeue says', () => {
  test('our own jobs are read, and nobody else’s', () => {
    const ours = line('12', 'PENDING', 'Resources', '', `grid-${attemptId}`, '2', 'grid:here')
    const others = [
      line('13', 'RUNNING', 'None', 'n1', `grid-${attemptId}`, '0', 'grid:elsewhere'),
      line('14', 'RUNNING', 'None', 'n1', 'somebody', '0', 'grid:here'),
      'nonsense',
      '',
    ]
    expect(readJobs([ours, ...others].join('\n'), 'grid:here')).toEqual([
      { ref: '12', state: 'PENDING', reason: 'Resources', node: '', attemptId, restarts: 2 },
    ])
    expect(jobFormat.split(',')).toHaveLength(7)
  })

  test.each([
    ['(None)', undefined],
    ['Resources', 'Waits until the cluster has room for it. (Slurm: Resources)'],
    [
      'ReqNodeNotAvail, UnavailableNodes:n1',
      'The nodes it needs are down or reserved. (Slurm: ReqNodeNotAvail, UnavailableNodes:n1)',
    ],
    ['SomethingNew', 'Waits on the cluster. (Slurm: SomethingNew)'],
  ])('%s in a sentence', (reason, says) => {
    expect(reasonIn(reason)).toBe(says)
  })
})

test.each([
  ['slurm_load_jobs error: Unable to contact slurm controller (connect failure)', true],
  ['sbatch: error: Batch job submission failed: Socket timed out on send/recv operation', true],
  [
    'sinfo: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\nsinfo: error: fetch_config: DNS SRV lookup failed',
    true,
  ],
  ['sbatch: error: Batch job submission failed: Requested node configuration is not available', false],
  [
    'sbatch: error: invalid partition specified: nowhere\nsbatch: error: Batch job submission failed: Invalid partition name specified',
    false,
  ],
  ['slurm_load_jobs error: Invalid job id specified', false],
])('%s: unreachable %s', (stderr, unreachable) => {
  expect(isUnreachable(stderr)).toBe(unreachable)
})

test('a refusal is told in Slurm’s own words', () => {
  expect(saidBy('sbatch: error: Memory specification can not be satisfied\n')).toBe(
    'Memory specification can not be satisfied',
  )
})

test.each([
  [
    'JobState=FAILED Reason=NonZeroExitCode\n ExitCode=3:0',
    { state: 'FAILED', exit: { code: 3, cause: 'exit' } },
  ],
  [
    'JobState=OUT_OF_MEMORY\n ExitCode=0:125',
    { state: 'OUT_OF_MEMORY', exit: { code: 253, signal: 125, cause: 'oom' } },
  ],
  ['JobState=CANCELLED\n ExitCode=0:0', { state: 'CANCELLED', exit: { cause: 'cancel' } }],
  ['nonsense', undefined],
])('scontrol: %s', (text, shown) => {
  expect(readShownJob(text)).toEqual(shown)
})

test('partitions become machines: the largest of their nodes, without the mark of the default one', () => {
  const text =
    'main*|up|2|4|4000|gpu:2|idle\nmain*|up|1|8|16000+|gpu:a100:4(S:0)|mix\nold|down|1|2|1000|(null)|down*\n'
  expect(readPartitions(text)).toEqual([
    { name: 'main', cpus: 8, memMiB: 16000, gpus: 4, gpuType: 'a100', preemptible: false, available: true },
    { name: 'old', cpus: 2, memMiB: 1000, gpus: 0, preemptible: false, available: false },
  ])
})

test('processors and memory are always said, and nothing secret is', () => {
  const { spec } = submissionOf(['true'], { cpus: 0, memMiB: 0, gpus: 2, gpuType: 'a100', timeLimitSec: 90 })
  const options = sbatchOptions(
    { ...spec, env: { TOKEN: 'hidden-token' } },
    { folder: '/shared/a', comment: 'grid:here', partition: 'main', account: 'lab' },
  )
  expect(options).toEqual(
    expect.arrayContaining([
      '--cpus-per-task=1',
      '--mem=1024M',
      '--gpus=a100:2',
      '--time=0:110',
      '--signal=B:TERM@20',
      '--partition=main',
      '--account=lab',
      '--no-requeue',
    ]),
  )
  expect(options.join(' ')).not.toContain('hidden-token')
  expect(options.join(' ')).not.toContain('of-the-contract')
})
