import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, pythonEnv } from '../config.ts';
import type { InterruptionTotals } from '../contracts/interruption.ts';
import type { Endpoint } from '../contracts/stage.ts';
import type { Heartbeat } from '../contracts/status.ts';
import { failure, invalidSpec } from '../failures.ts';
import { lastError } from '../process/last-error.ts';
import { freePort } from '../process/ports.ts';
import { ProcessStuck, reapOrphans, reapTagged } from '../process/reap.ts';
import { type Child, startChild } from '../process/start-child.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { claimEndpoint, claimsOf, type EndpointClaim, keepPublished, withdrawEndpoint } from '../serving/endpoints.ts';
import { type VllmOptions, vllmCommand } from '../serving/engines/vllm.ts';
import { isHealthy, isOwn, type StartedServer } from '../serving/health.ts';
import { locateModel, modelDigest, servedName } from '../serving/identity.ts';
import { type HeldKey, holdKey } from '../serving/key-file.ts';
import type { ServedModel } from '../serving/served-model.ts';
import { makeSocketFolder } from '../serving/socket-folder.ts';
import { InterruptionLog } from './interruption-log.ts';
import { LiveView } from './live-view.ts';
import { stageTag } from './tags.ts';

/** One vLLM, from its start to its end. */

/** Which model is served, for whom and on what. */
export interface ModelServerRun {
  run: string;
  stage: string;
  served: ServedModel;
  /** Name of its endpoint, claims and log; absent: its role. Servers of one name supersede each other. */
  endpoint?: string;
  /** UUIDs of leased GPUs; empty serves on the CPU. */
  gpus: string[];
  start_timeout_s: number;
  /** The stage's work began on this node before: where the model does not start now, it is worth another try. */
  served_before: boolean;
  config: Config;
  paths: RunPaths;
  /** Number of this attempt, from 1: later ones follow a death. */
  attempt: number;
  /**
   * When the Temporal server scheduled this attempt, in ms: of two servers of a role the later one's word counts, and one clock
   * says which that is. Absent where no activity runs it: then it comes after all that were there before.
   */
  order?: number;
  signal: AbortSignal;
  /** What is thrown once the signal is aborted. */
  ended: () => Error;
  beat: (beat: Heartbeat) => void;
  onInterruption: (totals: InterruptionTotals) => void;
}

const HOST = '127.0.0.1';
// Requests in flight are asked again by the gateway, so there is nothing that a long goodbye would save.
const STOP_GRACE_MS = 1000;
// Often enough that a dead server is found within a second or two, rare enough to cost nothing.
const POLL_MS = 500;
// vLLM's main process answers while its engine hangs or is gone: that many failed health checks in a row mean dead.
const HEALTH_INTERVAL_MS = 2000;
const MAX_FAILED_HEALTH_CHECKS = 5;

/**
 * Serves until the signal aborts (then throws what `ended` gives); throws ModelDidNotStart or ModelServerDied, AttemptGivenUp
 * where a newer server has claimed its endpoint, and NodeStuck where SIGKILL does not end what holds the GPU.
 */
export async function serveUntilAborted(server: ModelServerRun): Promise<void> {
  const { paths } = server;
  const { role } = server.served;
  const place = placeOf(server);
  const location = locateModel(server.config.root, server.served);
  if ('problem' in location) {
    throw invalidSpec([{ field: `${role}.${location.field}`, message: location.problem }]);
  }
  const { live, stopBeating } = view(server);
  let child: Child | null = null;
  let sockets: string | null = null;
  let own: Endpoint | null = null;
  let held: HeldKey | null = null;
  try {
    server.signal.throwIfAborted();
    // It also removes what a killed worker left: another server may have its port by now.
    const claim = await claimEndpoint(paths, place, server.order ?? null);
    if (claim === null) throw givenUp(server);
    // An engine that outlived its server still holds the GPU's memory.
    await (server.stage === 'serve' ? reapOrphans : reapTagged)(tagOf(server));
    const port = await freePort(HOST);
    const logPath = paths.log(`vllm-${place}-${server.attempt}`);
    const name = servedName(location, role, server.run);
    held = await holdKey();
    sockets = await makeSocketFolder();
    child = start(server, { location, served_name: name, port, api_key: held.key }, logPath, sockets);
    live.running('vllm', child.pid);
    const model_digest = await modelDigest(location, server.signal);
    const started = { url: `http://${HOST}:${port}`, api_key: held.key, served_name: name };
    await untilHealthy(server, child, started, logPath);
    own = {
      role,
      base_url: `${started.url}/v1`,
      model: name,
      model_digest,
      pid: child.pid,
      host: hostname(),
      api_key_env: null,
      api_key_file: held.file,
      started_at: new Date().toISOString(),
    };
    if (!(await keepPublished(paths, place, own, claim.isNewest))) throw givenUp(server);
    live.update({ phase: 'serve' });
    const cause = await untilGone(server, child, { started, own, claim, held });
    server.signal.throwIfAborted();
    await reportDeath(server, cause);
    throw failure('ModelServerDied', `vLLM of the ${role}: ${cause}. Log: ${logPath}`, { log: logPath });
  } catch (error) {
    // Whatever an abort interrupts, loading or hashing or serving, it is the abort that ended it.
    throw server.signal.aborted ? server.ended() : orNodeStuck(error);
  } finally {
    stopBeating();
    // A disk that fails must not keep the server from being stopped.
    if (own) await withdrawEndpoint(paths, place, own).catch(() => undefined);
    await end(child, sockets, held);
  }
}

/** Ends vLLM; its sockets and its key go even where it does not end, or where its start has thrown. */
async function end(child: Child | null, sockets: string | null, held: HeldKey | null): Promise<void> {
  try {
    await child?.stop(STOP_GRACE_MS);
  } catch (error) {
    throw orNodeStuck(error);
  } finally {
    if (sockets) await rm(sockets, { recursive: true, force: true }).catch(() => undefined);
    await held?.release().catch(() => undefined);
  }
}

/** The GPU's memory is not free before a reboot, so that another attempt has to be on another node. */
const orNodeStuck = (error: unknown) => (error instanceof ProcessStuck ? failure('NodeStuck', error.message) : error);

const placeOf = ({ endpoint, served }: ModelServerRun): string => endpoint ?? served.role;

const givenUp = (server: ModelServerRun) =>
  failure(
    'AttemptGivenUp',
    `Expected attempt ${server.attempt} on node ${server.config.node} to be the newest that serves the ${server.served.role}, ` +
      `found a newer claim in ${claimsOf(server.paths, placeOf(server))}: another server has taken over, and this one ends. Where there is none, because the Temporal ` +
      "server's clock was set back, remove that folder.",
  );

const tagOf = (server: ModelServerRun) =>
  `${stageTag(server.config.node, server.paths, server.stage)}/vllm-${placeOf(server)}`;

function view(server: ModelServerRun) {
  const live = new LiveView(server.stage, null, server.beat);
  live.update({ phase: `load ${server.served.role}` });
  return { live, stopBeating: live.keepBeating() };
}

function start(
  server: ModelServerRun,
  as: Pick<VllmOptions, 'location' | 'served_name' | 'port' | 'api_key'>,
  logPath: string,
  sockets: string,
): Child {
  const { config, served, gpus } = server;
  const { serve, adapters, takes_weights } = served;
  const what = { serve, adapters, takes_weights };
  const { args, env } = vllmCommand({ ...as, ...what, host: HOST, allow_args: config.allow_args, gpus });
  const tag = tagOf(server);
  const command = {
    name: 'vllm',
    command: config.python,
    args,
    cwd: config.root,
    env: { ...pythonEnv(config, as.location.kind === 'folder'), ...env, VLLM_RPC_BASE_PATH: sockets },
  };
  return startChild({ ...command, logPath, tag, onEvent: () => undefined });
}

async function untilHealthy(
  server: ModelServerRun,
  child: Child,
  started: StartedServer,
  logPath: string,
): Promise<void> {
  const deadline = Date.now() + server.start_timeout_s * 1000;
  let ended: string | null = null;
  child.exited.then(
    ({ code, signal }) => {
      ended = signal ?? `exit code ${code}`;
    },
    () => {
      ended = 'processes that SIGKILL does not end';
    },
  );
  while (!((await isHealthy(started, server.signal)) && (await isOwn(started, server.signal)))) {
    server.signal.throwIfAborted();
    const late = Date.now() > deadline;
    if (ended === null && !late) {
      await sleep(POLL_MS);
      continue;
    }
    const how =
      ended === null ? `did not answer within ${server.start_timeout_s} s` : `ended with ${ended} while starting`;
    const reason = (await lastError(logPath)) ?? 'its log says nothing';
    // Killed from outside, it is worth another try; ended by itself, it will end so again.
    // So may one that has served before: its GPU's memory may not be free yet.
    const again =
      (ended !== null && /^SIG/.test(ended)) ||
      /address already in use/i.test(reason) ||
      server.attempt > 1 ||
      server.served_before;
    const type = again ? 'ModelServerDied' : 'ModelDidNotStart';
    throw failure(type, `vLLM of the ${server.served.role} ${how}: ${reason}. Log: ${logPath}`, { log: logPath });
  }
  server.signal.throwIfAborted();
}

/** Resolves with the cause once the server is dead or the signal aborts; keeps its endpoint published until then. */
async function untilGone(
  server: ModelServerRun,
  child: Child,
  { started, own, claim, held }: { started: StartedServer; own: Endpoint; claim: EndpointClaim; held: HeldKey },
): Promise<string> {
  const { paths, signal } = server;
  let cause: string | null = null;
  child.exited.then(
    ({ code, signal }) => {
      cause = `ended with ${signal ?? `exit code ${code}`}`;
    },
    () => {
      cause = 'left processes that SIGKILL does not end';
    },
  );
  let failed = 0;
  let nextCheck = Date.now() + HEALTH_INTERVAL_MS;
  while (cause === null && !signal.aborted) {
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    if (Date.now() < nextCheck) continue;
    failed = (await isHealthy(started, signal)) ? 0 : failed + 1;
    // An older server that was stopped while it published or withdrew may have overwritten or removed it.
    if (failed === 0 && !signal.aborted) {
      // A disk that fails for a moment is tried again at the next check.
      await held.keep().catch(() => undefined);
      const ours = await keepPublished(paths, placeOf(server), own, claim.isNewest).catch(() => true);
      // No client finds this server any more; the next attempt, if there is one, claims the endpoint again.
      if (!ours) throw givenUp(server);
    }
    nextCheck = Date.now() + HEALTH_INTERVAL_MS;
    if (failed >= MAX_FAILED_HEALTH_CHECKS) cause ??= `failed ${failed} health checks in a row`;
  }
  return cause ?? 'was told to end';
}

async function reportDeath({ paths, stage, served, onInterruption }: ModelServerRun, how: string): Promise<void> {
  const hung = /health checks/.test(how);
  await new InterruptionLog(paths.report.interruptions, stage, onInterruption).report({
    at: new Date().toISOString(),
    stage,
    epoch: null,
    what: 'vllm',
    cause: hung ? 'hung' : /SIG(KILL|TERM|INT|HUP)/.test(how) ? 'preempted' : 'crashed',
    message: `vLLM of the ${served.role} ${how}`,
    steps_lost: 0,
    seconds_to_next_commit: null,
  });
}
