import { hostname } from 'node:os';
import { type WorkflowExecutionDescription, WorkflowFailedError } from '@temporalio/client';
import { defaultPayloadConverter, WorkflowNotFoundError } from '@temporalio/common';
import { Heartbeat, RunStatus } from '../../contracts/status.ts';
import { innermost, messageOf } from '../../failures.ts';
import { isAlive } from '../../process/stat.ts';
import type { Server } from '../connect.ts';
import { type RunState, type RunView, STAGES, type Stage } from './run-view.ts';

/** A request to a server that hangs must not stop the view: the view repeats it a second later. */
const DEADLINE_MS = 4000;

const states: Record<string, RunState> = {
  RUNNING: 'running',
  CONTINUED_AS_NEW: 'running',
  COMPLETED: 'done',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  TERMINATED: 'terminated',
  TIMED_OUT: 'failed',
};

export const workflowIdOf = (run: string) => `gavel/${run}`;

/** Adds what Temporal knows to what the disk says; false where the server knows no such run of the root whose queue this is. */
export async function addServerView(server: Server, view: RunView, queue: string | null): Promise<boolean> {
  const handle = server.client.workflow.getHandle(workflowIdOf(view.run));
  let description: WorkflowExecutionDescription;
  try {
    description = await server.connection.withDeadline(Date.now() + DEADLINE_MS, () => handle.describe());
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
  // A run of the same name that belongs to another root.
  if (queue !== null && description.taskQueue !== queue) return false;
  view.state = states[description.status.name] ?? 'unknown';
  const status = await askStatus(server, view);
  if (status) mergeStatus(view, status);
  else if (view.state === 'running') view.notes.push('No worker answers: figures are from the run directory.');
  if (view.state === 'running') {
    const current = STAGES.filter((stage) => stage === view.stage || !status);
    for (const beat of await heartbeats(server, view.run, current)) mergeHeartbeat(view, beat);
  } else if (view.state === 'failed') {
    view.failure = (await failureOf(server, view.run)) ?? view.failure;
    view.stage = 'failed';
  }
  return true;
}

async function askStatus(server: Server, view: RunView): Promise<RunStatus | null> {
  const handle = server.client.workflow.getHandle(workflowIdOf(view.run));
  try {
    const answer = await server.connection.withDeadline(Date.now() + DEADLINE_MS, () => handle.query('status'));
    return RunStatus.parse(answer);
  } catch {
    return null;
  }
}

function mergeStatus(view: RunView, status: RunStatus): void {
  view.stage = status.stage;
  // The disk is ahead of the workflow between a line and its signal.
  if (status.interruptions.count > view.interruptions.count) view.interruptions = status.interruptions;
  view.verdict = status.verdict ?? view.verdict;
  view.report = status.report ?? view.report;
  for (const name of STAGES) {
    const from = status.stages[name];
    const stage = view.stages[name];
    if (!from) continue;
    // The disk is ahead of the workflow between a commit and its signal.
    Object.assign(stage, { state: from.state, checkpoint: from.checkpoint ?? stage.checkpoint });
    Object.assign(stage, { step: Math.max(stage.step, from.step), total: Math.max(stage.total, from.total) });
    stage.metrics = { ...stage.metrics, ...from.metrics };
  }
}

function mergeHeartbeat(view: RunView, beat: Heartbeat): void {
  const here = hostname();
  for (const found of beat.processes) {
    if (found.host === here && !isAlive(found.pid)) continue;
    if (!view.processes.some((known) => known.pid === found.pid && known.host === found.host))
      view.processes.push(found);
  }
  const name = STAGES.find((stage) => stage === beat.stage);
  // Servers beat for their stage too; only the attempt at the stage itself has an epoch and a step.
  if (!name || beat.epoch === null) return;
  const stage = view.stages[name];
  Object.assign(stage, { phase: beat.phase, epoch: beat.epoch, waiting: beat.waiting });
  if (beat.phase === 'train' && beat.total > 0) Object.assign(stage, { step: beat.step, total: beat.total });
  stage.part = beat.phase !== 'train' && beat.total > 0 ? { step: beat.step, total: beat.total } : null;
  stage.metrics = { ...stage.metrics, ...beat.metrics };
  stage.state = beat.waiting ? 'waiting' : stage.state === 'paused' ? 'paused' : 'running';
}

/** Heartbeats of every activity of these stages, and of the servers that they have started, that is under way now. */
async function heartbeats(server: Server, run: string, stages: Stage[]): Promise<Heartbeat[]> {
  const ofStages = await Promise.all(stages.map((stage) => beatsOf(server, `${workflowIdOf(run)}/${stage}`)));
  const children = ofStages.flatMap(({ children }) => children);
  const ofServers = await Promise.all(children.map((id) => beatsOf(server, id)));
  return [...ofStages, ...ofServers].flatMap(({ beats }) => beats);
}

interface Beats {
  beats: Heartbeat[];
  /** Workflows that this one has started and that run. */
  children: string[];
}

async function beatsOf(server: Server, workflowId: string): Promise<Beats> {
  try {
    const handle = server.client.workflow.getHandle(workflowId);
    const { raw } = await server.connection.withDeadline(Date.now() + DEADLINE_MS, () => handle.describe());
    const beats = (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails }) => {
      const [payload] = heartbeatDetails?.payloads ?? [];
      const parsed = payload && Heartbeat.safeParse(defaultPayloadConverter.fromPayload(payload));
      return parsed?.success ? [parsed.data] : [];
    });
    return { beats, children: (raw.pendingChildren ?? []).flatMap((child) => child.workflowId ?? []) };
  } catch {
    return { beats: [], children: [] };
  }
}

/** The innermost message of a failed run: the outer ones only say that a child failed. */
async function failureOf(server: Server, run: string): Promise<string | null> {
  try {
    await server.client.workflow.getHandle(workflowIdOf(run)).result();
    return null;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) return null;
    return messageOf(innermost(error));
  }
}
