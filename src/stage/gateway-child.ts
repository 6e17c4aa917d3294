import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { GatewayConfig } from '../contracts/gateway.ts';
import type { Endpoint } from '../contracts/stage.ts';
import { failpoint } from '../failpoints.ts';
import { failure } from '../failures.ts';
import { type Child, startChild } from '../process/start-child.ts';
import { newestEpoch } from '../run-directory/epoch-records.ts';
import { writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { keepPublished } from '../serving/endpoints.ts';
import type { InterruptionLog } from './interruption-log.ts';
import type { LiveView } from './live-view.ts';

/** The gateway beside a trainer: a child process that is started again when it dies. */

export interface GatewayChildOptions {
  /** Aborted while it starts, it is killed. */
  signal: AbortSignal;
  /** What the start throws once the signal is aborted. */
  ended: () => Error;
  config: Config;
  gateway: GatewayConfig;
  paths: RunPaths;
  stage: string;
  /** Folder of the epoch: the gateway's configuration is written there. */
  dir: string;
  logPath: string;
  tag: string;
  /** Environment variables that hold the keys of judges. */
  secrets: Record<string, string>;
  live: LiveView;
  interruptions: InterruptionLog;
}

export interface GatewayChild {
  url: string;
  /** Key of this gateway; handed to the trainer through its environment, never written down. */
  key: string;
  /** Rejects once the gateway cannot be kept alive; never resolves. */
  gone: Promise<never>;
  /** Ends it, and kills it where it has not ended after `grace_ms`. */
  stop(grace_ms: number): Promise<void>;
}

// A gateway that fails to start this many times in a row has a fault that another start does not fix.
const MAX_FAILED_STARTS = 5;
// Indexing the ledger of a long run takes minutes on a slow disk.
const START_TIMEOUT_MS = 10 * 60_000;
const HEALTH_INTERVAL_MS = 5000;
// A machine that swaps may take seconds over anything.
const HEALTH_TIMEOUT_MS = 10_000;
const MAX_DEAF = 3;

/** Starts the gateway and resolves once it listens. Throws ModelServerDied where it does not, and what `ended` gives on abort. */
export async function startGatewayChild(options: GatewayChildOptions): Promise<GatewayChild> {
  const key = randomBytes(24).toString('base64url');
  let stopped = false;
  const ending = new AbortController();
  let current = await launch(options, key, options.gateway.port);
  // A start that is under way must not hold up a stop.
  const again = { ...options, signal: AbortSignal.any([options.signal, ending.signal]) };

  const giveUp = Promise.withResolvers<never>();
  // The code that waits for the trainer gets this rejection. Before it waits, the rejection must not end the process.
  giveUp.promise.catch(() => undefined);
  const watch = async (): Promise<void> => {
    for (;;) {
      // It may have been started while the stage was ending.
      if (stopped) await current.child.stop(0);
      const { code, signal } = await current.child.exited;
      await current.child.stop(0);
      if (stopped) return;
      options.live.ended('gateway');
      const message = `the gateway ended with ${signal ?? `exit code ${code}`}`;
      const at = new Date().toISOString();
      await options.interruptions.report({
        at,
        stage: options.stage,
        epoch: null,
        what: 'gateway',
        cause: signal === null ? 'crashed' : 'preempted',
        message,
        steps_lost: 0,
        seconds_to_next_commit: null,
      });
      // On the same port, so that a trainer that tries again finds it.
      let port = Number(new URL(current.url).port);
      for (let failed = 0; !stopped; failed += 1) {
        try {
          current = await launch(again, key, port);
          break;
        } catch (error) {
          // The attempt ends, and its trainer may still be committing: that is no gateway's fault.
          if (again.signal.aborted) return;
          // Another process may have it now. The endpoint file, which the trainer reads again, names the new one.
          port = 0;
          if (failed >= MAX_FAILED_STARTS) return giveUp.reject(error);
          // The dying one may still hold the port.
          await sleep(500);
        }
      }
    }
  };
  const watching = watch().catch(giveUp.reject);
  return {
    url: current.url,
    key,
    gone: giveUp.promise,
    async stop(grace_ms) {
      stopped = true;
      if (failpoint('leave-gateway')) return;
      ending.abort();
      await current.child.stop(grace_ms);
      await watching;
    },
  };
}

/** A gateway that lives and does not answer holds its trainer up for ever, and looks like a judge that is slow. */
function killWhenDeaf(child: Child, url: string, onHeard: () => Promise<unknown>): void {
  let deaf = 0;
  const timer = setInterval(async () => {
    const heard = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) }).then(
      ({ ok }) => ok,
      () => false,
    );
    deaf = heard ? 0 : deaf + 1;
    if (deaf >= MAX_DEAF) child.stop(0).catch(() => undefined);
    if (heard) await onHeard().catch(() => undefined);
  }, HEALTH_INTERVAL_MS);
  child.exited.then(
    () => clearInterval(timer),
    () => clearInterval(timer),
  );
}

/** Says where the gateway is, and again where an older epoch's has overwritten it; only the newest epoch's counts. */
function keepGatewayPublished({ paths, stage, gateway }: GatewayChildOptions, own: Endpoint): Promise<boolean> {
  const { epoch } = gateway;
  const isNewest = async () => ((await newestEpoch(paths, stage)) ?? 0) <= epoch;
  return keepPublished(paths, `gateway-${stage}`, own, isNewest);
}

async function launch(options: GatewayChildOptions, key: string, port: number): Promise<{ child: Child; url: string }> {
  const { config, live, logPath, signal, ended } = options;
  if (signal.aborted) throw ended();
  const path = join(options.dir, 'gateway.json');
  await writeAtomic(path, { ...options.gateway, port });
  const listening = Promise.withResolvers<string>();
  const child = startChild({
    name: 'gateway',
    command: config.node_binary,
    args: [join(config.package_root, 'src/gateway/main.ts'), path],
    cwd: config.package_root,
    env: { GAVEL_API_KEY: key, ...options.secrets },
    logPath,
    tag: `${options.tag}/gateway`,
    onEvent: (event) => {
      if (event.event === 'listening') listening.resolve(String(event.url));
      if (event.event === 'failed') listening.reject(new Error(String(event.message)));
      if (event.event === 'waiting')
        live.update({ waiting: { for: String(event.for), seconds: Number(event.seconds) } });
      if (event.event === 'recovered') live.update({ waiting: null });
    },
  });
  const abort = () => listening.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const timer = setTimeout(
    () => listening.reject(new Error(`it did not listen within ${START_TIMEOUT_MS / 60_000} minutes`)),
    START_TIMEOUT_MS,
  );
  child.exited.then(
    ({ code, signal }) => listening.reject(new Error(`it ended with ${signal ?? `exit code ${code}`}`)),
    listening.reject,
  );
  listening.promise.catch(() => undefined);
  try {
    const url = await listening.promise;
    signal.throwIfAborted();
    live.running('gateway', child.pid);
    const own: Endpoint = {
      role: 'gateway',
      base_url: `${url}/v1`,
      model: 'gateway',
      model_digest: null,
      pid: child.pid,
      host: hostname(),
      api_key_env: 'GAVEL_API_KEY',
      api_key_file: null,
      started_at: new Date().toISOString(),
    };
    await keepGatewayPublished(options, own);
    killWhenDeaf(child, url, () => keepGatewayPublished(options, own));
    return { child, url };
  } catch (error) {
    await child.stop(0);
    if (signal.aborted) throw ended();
    throw failure('ModelServerDied', `The gateway did not start: ${(error as Error).message}. Log: ${logPath}`);
  } finally {
    signal.removeEventListener('abort', abort);
    clearTimeout(timer);
  }
}
