/**
 * A real Slurm cluster for tests: one controller and three virtual nodes on this machine, from Debian's packages, in a
 * temporary folder. Needs root, because the daemons do.
 */
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { exists, freePort, run, runOk, withLock } from './programs.ts'

export type SlurmCluster = {
  /** Set this for Slurm's tools. */
  env: { SLURM_CONF: string }
  folder: string
  run: (...argv: string[]) => Promise<string>
  /** The controller goes away as by `kill -9`, and comes back with what it had written down. */
  killController: () => Promise<void>
  startController: () => Promise<void>
  /** The daemons of all nodes go away; what they had started goes on. */
  killNodes: () => Promise<void>
  startNodes: () => Promise<void>
  stop: () => Promise<void>
}

const nodes = ['n1', 'n2', 'n3']
const readySecondsMax = 60

/** Why there can be no cluster here; undefined when there can. Installs Debian's packages if they are missing. */
export async function whyNoSlurm(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'Slurm’s daemons need root'
  if (await hasSlurm()) return undefined
  return await withLock('slurm', async () => {
    if (await hasSlurm()) return undefined
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    const install = ['install', '-y', '--no-install-recommends', 'slurm-wlm', 'munge']
    await run('apt-get', ['update'], { env, secondsMax: 90 }).catch(() => undefined)
    const installed = await run('apt-get', install, { env, secondsMax: 240 }).catch(() => undefined)
    return installed?.code === 0 ? undefined : 'the packages slurm-wlm and munge cannot be installed here'
  })
}

const hasSlurm = async () => (await exists('/usr/sbin/slurmctld')) && (await exists('/usr/sbin/munged'))

/** @throws when it does not come up. */
export async function startSlurm(): Promise<SlurmCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'sl'))
  const host = hostname().split('.')[0]!
  const [controllerPort, ...nodePorts] = await Promise.all([0, 1, 2, 3].map(() => freePort()))
  for (const name of ['etc', 'state', 'log', 'run', 'spool', 'munge']) await mkdir(join(folder, name))
  await runOk('chmod', ['755', folder, join(folder, 'munge')])
  const key = join(folder, 'etc/munge.key')
  await runOk('sh', ['-c', `head -c 1024 /dev/urandom > ${key}`])
  await runOk('chown', ['munge:munge', key, join(folder, 'munge')])
  await runOk('chmod', ['400', key])
  await runOk('chown', ['slurm:slurm', join(folder, 'state'), join(folder, 'log')])
  const conf = join(folder, 'etc/slurm.conf')
  await writeFile(
    conf,
    `ClusterName=t
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge/sock
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool/%n
SlurmctldPidFile=${folder}/run/slurmctld.pid
SlurmdPidFile=${folder}/run/slurmd.%n.pid
SlurmctldLogFile=${folder}/log/slurmctld.log
SlurmdLogFile=${folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=5
EnforcePartLimits=ALL
GresTypes=gpu
${nodes.map((name, index) => `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePorts[index]} CPUs=4 RealMemory=4000 Gres=gpu:2`).join('\n')}
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=one Nodes=n1 MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=spot Nodes=n[1-3] MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
`,
  )
  // Files of GPUs must be devices; these are of no use to anybody else.
  await writeFile(join(folder, 'etc/gres.conf'), 'NodeName=n[1-3] Name=gpu File=/dev/tty[0-1]\n')
  const env = { SLURM_CONF: conf }
  const slurm = (...[program, ...args]: string[]) =>
    runOk(program!, args, { env: { ...process.env, ...env } })

  const munge = join(folder, 'munge')
  await runOk('setpriv', [
    '--reuid=munge',
    '--regid=munge',
    '--clear-groups',
    '/usr/sbin/munged',
    `--key-file=${key}`,
    `--socket=${munge}/sock`,
    `--pid-file=${munge}/munged.pid`,
    `--log-file=${munge}/munged.log`,
    `--seed-file=${munge}/seed`,
  ])
  const startController = async () => {
    await slurm('/usr/sbin/slurmctld', '-f', conf)
    await until(async () => (await slurm('scontrol', 'ping')).includes('is UP'), 'the controller', folder)
  }
  const startNodes = async () => {
    for (const name of nodes) await slurm('/usr/sbin/slurmd', '-f', conf, '-N', name)
  }
  const pids = async (pattern: RegExp) => {
    const names = (await readdir(join(folder, 'run'))).filter((name) => pattern.test(name))
    return Promise.all(names.map(async (name) => Number(await readFile(join(folder, 'run', name), 'utf8'))))
  }
  const kill = async (pattern: RegExp, signal: NodeJS.Signals) => {
    for (const pid of await pids(pattern)) {
      try {
        process.kill(pid, signal)
      } catch {
        continue
      }
      while (await isAlive(pid)) await wait(20)
    }
  }
  try {
    await startController()
    await startNodes()
    const idle = async () => (await slurm('sinfo', '-h', '-p', 'main', '-o', '%D %t')).trim() === '3 idle'
    await until(idle, 'the nodes', folder)
  } catch (error) {
    await stop()
    throw error
  }

  async function stop(): Promise<void> {
    await slurm('scancel', '--full', '--signal=KILL', '--me').catch(() => undefined)
    await slurm('scancel', '--me').catch(() => undefined)
    await kill(/^slurmd\./, 'SIGTERM')
    await kill(/^slurmctld/, 'SIGKILL')
    // What a step still wants to tell a controller that was killed, it would try to tell for ever.
    for (const name of await readdir('/proc')) {
      const title = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
      if (!title.startsWith('slurmstepd')) continue
      const home = await readlink(`/proc/${name}/cwd`).catch(() => '')
      if (home.startsWith(folder)) process.kill(Number(name), 'SIGKILL')
    }
    const munged = Number(await readFile(join(munge, 'munged.pid'), 'utf8').catch(() => '0'))
    if (munged > 0) process.kill(munged, 'SIGTERM')
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  return {
    env,
    folder,
    run: slurm,
    killController: () => kill(/^slurmctld/, 'SIGKILL'),
    startController,
    killNodes: () => kill(/^slurmd\./, 'SIGKILL'),
    startNodes,
    stop,
  }
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return stat !== undefined && !stat.includes(') Z')
}

async function until(isTrue: () => Promise<boolean>, what: string, folder: string): Promise<void> {
  for (let tries = 0; tries < readySecondsMax * 10; tries++) {
    if (await isTrue().catch(() => false)) return
    await wait(100)
  }
  const log = await readFile(join(folder, 'log/slurmctld.log'), 'utf8').catch(() => '')
  throw new Error(`${what} of the test cluster did not come up: ${log.slice(-1000)}`)
}
