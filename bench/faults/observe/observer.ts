import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runPaths } from '../../../src/run-directory/paths.ts';
import type { EventLog, Stage } from './event-log.ts';
import type { JournalCopies } from './journal-copies.ts';
import { listeners } from './listening-sockets.ts';
import { processesOf, trainersOf } from './processes.ts';

/** Looks at a run directory and at /proc, many times a second, and logs what is new. It reads; it never asks gavel. */

export const STAGES: readonly Stage[] = ['grpo', 'sft', 'audit'];
const DISK_MS = 25;
const PROC_MS = 150;

export class Observer {
  private readonly log: EventLog;
  private readonly root: string;
  private readonly run: string;
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly recorded = new Set<string>();
  private readonly heads = new Map<string, string>();
  private readonly trainers = new Set<string>();
  private readonly results = new Map<string, string>();
  private readonly addresses = new Set<string>();
  private readonly journals: JournalCopies | null;
  private metrics_at = 0;
  private rest = '';

  constructor(log: EventLog, root: string, run: string, journals: JournalCopies | null = null) {
    this.log = log;
    this.root = root;
    this.run = run;
    this.journals = journals;
  }

  start(): void {
    this.timers.push(
      setInterval(() => this.lookAtDisk(), DISK_MS),
      setInterval(() => this.lookAtProcesses(), PROC_MS),
    );
  }

  /** One last look, then no more. */
  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.lookAtDisk();
  }

  private lookAtDisk(): void {
    const paths = runPaths(this.root, this.run);
    for (const stage of STAGES) {
      const { epochs, result } = paths.stage(stage);
      for (const name of list(epochs)) {
        const epoch = Number(name);
        if (!Number.isInteger(epoch)) continue;
        const id = `${stage} ${epoch}`;
        if (!this.recorded.has(id)) this.lookAtRecord(stage, epoch, id);
        this.lookAtHead(stage, epoch, id);
      }
      const text = read(result);
      if (text === null) continue;
      const sha256 = createHash('sha256').update(text).digest('hex');
      if (this.results.get(stage) === sha256) continue;
      this.results.set(stage, sha256);
      this.log.add({ event: 'result', stage, sha256, epoch: parse(text)?.epoch ?? -1 });
    }
    this.journals?.copy();
    this.lookAtEndpoints(paths.endpoints);
    this.lookAtMetrics(paths.report.metrics);
  }

  /** By then each of gavel's own processes (they have a pid) that an endpoint file names listens. */
  private lookAtEndpoints(folder: string): void {
    for (const name of list(folder)) {
      const text = name.endsWith('.json') ? read(join(folder, name)) : null;
      if (text === null || this.addresses.has(text)) continue;
      this.addresses.add(text);
      const { base_url, pid } = parse(text) ?? {};
      const port = URL.canParse(base_url) ? Number(new URL(base_url).port) : 0;
      if (!pid || !port) continue;
      for (const socket of listeners().get(port) ?? []) this.log.add({ event: 'listener', what: name, port, socket });
    }
  }

  private lookAtRecord(stage: Stage, epoch: number, id: string): void {
    const record = parse(read(runPaths(this.root, this.run).stage(stage).epoch(epoch).record));
    if (!record) return;
    this.recorded.add(id);
    const starts_from: string | null = record.starts_from ?? null;
    const started_at = String(record.started_at);
    const resumed_step = Number(/^step-(\d+)/.exec(starts_from ?? '')?.[1] ?? 0);
    this.log.add({ event: 'epoch', stage, epoch, node: String(record.node), starts_from, started_at, resumed_step });
  }

  private lookAtHead(stage: Stage, epoch: number, id: string): void {
    const text = read(runPaths(this.root, this.run).stage(stage).epoch(epoch).head);
    if (text === null || this.heads.get(id) === text) return;
    const head = parse(text);
    if (!head) return;
    this.heads.set(id, text);
    this.log.add({ event: 'commit', stage, epoch, step: Number(head.step), checkpoint: String(head.checkpoint) });
  }

  private lookAtMetrics(path: string): void {
    const size = existsSync(path) ? statSync(path).size : 0;
    if (size <= this.metrics_at) return;
    const text = this.rest + readFileSync(path).subarray(this.metrics_at).toString('utf8');
    this.metrics_at = size;
    const lines = text.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      const found = parse(line);
      if (!found || !STAGES.includes(found.stage)) continue;
      const { stage, epoch, step, metrics } = found;
      this.log.add({ event: 'step', stage, epoch, step, seconds: Number(metrics?.step_seconds ?? 0) });
    }
  }

  private lookAtProcesses(): void {
    const under = join(this.root, 'runs', this.run);
    const mine = processesOf(this.root).filter(({ tag }) => tag?.includes(`:${under}/`));
    for (const { pid, stage, epoch, gpus } of trainersOf(mine)) {
      const id = `${stage} ${epoch}`;
      if (this.trainers.has(id)) continue;
      this.trainers.add(id);
      this.log.add({ event: 'trainer', stage: stage as Stage, epoch, pid, gpus });
    }
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the file holds, damaged files among them.
function parse(text: string | null): any {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
