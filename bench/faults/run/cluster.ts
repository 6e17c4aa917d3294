import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { devServerArgs } from '../../../src/cli/up/dev-server.ts';
import { type Config, loadConfig } from '../../../src/config.ts';
import { freePort } from '../../../src/process/ports.ts';
import { createRoot } from '../../../src/run-directory/root.ts';
import { type Cut, Forwarder } from './network-partition.ts';

/**
 * A Temporal server on its database file, a worker for workflows, and two workers with names of their own that stand for two
 * nodes: real processes, each started again a moment after it ends, as a scheduler would. Each node reaches the server through a
 * forwarder of its own, so that it can be cut off.
 */

export type Role = 'server' | 'workflows' | 'a' | 'b';

interface Member {
  child: ChildProcess | null;
  /** While true, the cluster does not start it again. */
  held: boolean;
  restart_ms: number;
}

/** The GPU ids that a node is given instead of a driver's. */
export const GPUS: Record<string, string> = { a: 'GPU-a0', b: 'GPU-b0' };

export class Cluster {
  readonly root: string;
  readonly package_root: string;
  readonly config: Config;
  private port = 0;
  private closing = false;
  private connection: Connection | null = null;
  private readonly members: Record<Role, Member>;
  private readonly forwarders = new Map<Role, { forwarder: Forwarder; address: string }>();

  constructor(root: string, package_root: string) {
    this.root = root;
    this.package_root = package_root;
    this.config = { ...loadConfig(), package_root, root };
    const member = (): Member => ({ child: null, held: false, restart_ms: 300 });
    this.members = { server: member(), workflows: member(), a: member(), b: member() };
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Makes the root and starts everything; resolves once a workflow can be started. */
  async start(): Promise<void> {
    mkdirSync(join(this.root, '.gavel/logs'), { recursive: true });
    mkdirSync(join(this.root, 'runs'), { recursive: true });
    await createRoot(this.root);
    for (const folder of ['models', 'examples']) {
      if (!existsSync(join(this.root, folder))) symlinkSync(join(this.package_root, folder), join(this.root, folder));
    }
    this.port = await freePort();
    for (const node of ['a', 'b'] as const) {
      const forwarder = new Forwarder(this.port);
      this.forwarders.set(node, { forwarder, address: await forwarder.open() });
    }
    this.launch('server');
    await this.client();
    for (const role of ['workflows', 'a', 'b'] as const) this.launch(role);
  }

  /** A client of the server, once it answers. */
  async client(): Promise<Client> {
    for (let tries = 0; ; tries += 1) {
      try {
        this.connection ??= await Connection.connect({ address: this.address, connectTimeout: '2s' });
        await this.connection.workflowService.describeNamespace({ namespace: 'default' });
        return new Client({ connection: this.connection });
      } catch (error) {
        if (tries > 300) throw error;
        await sleep(100);
      }
    }
  }

  pid(role: Role): number {
    return this.members[role].child?.pid ?? 0;
  }

  /** Sends a signal. `held`: it stays down until `release`. */
  signal(role: Role, signal: NodeJS.Signals, { held = false, restart_ms = 300 } = {}): void {
    Object.assign(this.members[role], { held, restart_ms });
    this.members[role].child?.kill(signal);
  }

  /** Starts again what was held. */
  release(role: Role): void {
    const member = this.members[role];
    member.held = false;
    if (member.child === null && !this.closing) this.launch(role);
  }

  /** Cuts a node off from the server; its processes go on. */
  cut(node: Role, how: Cut): void {
    this.forwarders.get(node)?.forwarder.cut(how);
  }

  heal(node: Role): void {
    this.forwarders.get(node)?.forwarder.heal();
  }

  /** Resolves when the member's process has ended. */
  async ended(role: Role): Promise<void> {
    const { child } = this.members[role];
    while (child && child.exitCode === null && child.signalCode === null) await sleep(20);
  }

  /** Ends all of it, workers first. */
  async close(): Promise<void> {
    this.closing = true;
    for (const { forwarder } of this.forwarders.values()) forwarder.heal();
    for (const role of ['a', 'b', 'workflows', 'server'] as const) {
      this.members[role].child?.kill('SIGCONT');
      this.members[role].child?.kill('SIGTERM');
      const ended = this.ended(role);
      await Promise.race([ended, sleep(32_000, undefined, { ref: false })]);
      this.members[role].child?.kill('SIGKILL');
      await ended;
    }
    for (const { forwarder } of this.forwarders.values()) await forwarder.close();
    // The connection stays open until the process ends: a call that is being tried again would throw from a timer otherwise.
  }

  /** File in which a fault counts out-of-memory kills: not every machine can make a control group with a limit of its own. */
  oomCounter(role: Role): string {
    return join(this.root, '.gavel', `oom-${role}`);
  }

  private launch(role: Role): void {
    const { command, args } = this.commandOf(role);
    const log = openSync(join(this.root, '.gavel/logs', `${role}.log`), 'a');
    const child = spawn(command, args, { cwd: this.root, env: this.environmentOf(role), stdio: ['ignore', log, log] });
    const member = this.members[role];
    member.child = child;
    child.once('exit', () => {
      if (member.child === child) member.child = null;
      if (this.closing) return;
      setTimeout(() => {
        if (!member.held && !this.closing && member.child === null) this.launch(role);
      }, member.restart_ms).unref();
    });
  }

  private commandOf(role: Role): { command: string; args: string[] } {
    if (role === 'server') {
      const args = devServerArgs(this.config, { port: this.port, ui_port: this.port + 1 });
      return { command: this.config.temporal_cli, args: [...withoutUi(args), '--headless'] };
    }
    const cli = ['--no-warnings', join(this.package_root, 'src/cli.ts'), 'worker'];
    const roles = role === 'workflows' ? ['--workflows'] : ['--activities', '--node', role];
    return { command: process.execPath, args: [...cli, ...roles] };
  }

  private environmentOf(role: Role): NodeJS.ProcessEnv {
    return {
      ...process.env,
      GAVEL_ROOT: this.root,
      TEMPORAL_ADDRESS: this.forwarders.get(role)?.address ?? this.address,
      GAVEL_GPUS: GPUS[role] ?? '',
      GAVEL_OOM_COUNTER: this.oomCounter(role),
      GAVEL_PYTHON: this.config.python,
      GAVEL_TEMPORAL_CLI: this.config.temporal_cli,
      // One thread: the same sums in the same order, on whichever node.
      OMP_NUM_THREADS: '1',
      NO_COLOR: '1',
      // Trainers record what they made durable before they published it.
      PYTHONPATH: join(this.package_root, 'bench/faults/observe/record-trainer'),
    };
  }
}

function withoutUi(args: string[]): string[] {
  const at = args.indexOf('--ui-port');
  return args.filter((arg, index) => index !== at && index !== at + 1 && arg !== '--ui-disable-news-fetch');
}
