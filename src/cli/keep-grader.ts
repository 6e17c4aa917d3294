import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { failureType } from '../failures.ts';
import { GpusNotFree, type HeldGpus, holdGpus } from '../gpus/hold-gpus.ts';
import { GpusUnknown, listGpus } from '../gpus/list.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { claimsOf } from '../serving/endpoints.ts';
import { servedModel } from '../serving/served-model.ts';
import { serveUntilAborted } from '../stage/model-server.ts';
import { CliError } from './exit.ts';

/** The grader's vLLM behind `gavel serve`, for as long as the command runs. */

export interface KeptGrader {
  paths: RunPaths;
  /** Name of the endpoint that it publishes: the gateway finds it there. */
  endpoint: string;
  signal: AbortSignal;
  /** Gets one line for each death and each failed start. */
  warn: (line: string) => void;
  /** Pause after the first failed start; each further one in a row doubles it. */
  pause_ms?: number;
}

// Long enough for a dead server's GPU memory to be freed.
const PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
// So many in a row, with half a minute of pauses, have a cause that a person has to remove.
const MAX_FAILED_STARTS = 5;

/** Keeps vLLM up until the signal; a server that dies is started again, one that does not start is an error. */
export async function keepGrader(config: Config, spec: Spec, kept: KeptGrader): Promise<void> {
  const { release, gpus } = await leased(config, spec);
  try {
    await keepServing(config, spec, kept, gpus);
  } finally {
    await release();
    await rm(claimsOf(kept.paths, kept.endpoint), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Leases GPUs as stages do, so that no stage takes them while they serve. */
async function leased(config: Config, spec: Spec): Promise<HeldGpus> {
  const count = spec.placement.grader_gpus;
  const purpose = `gavel serve ${spec.run}`;
  try {
    const visible = config.cuda_visible_devices;
    const gpus = count === 0 ? [] : await listGpus({ visible, injected: config.gpus });
    return await holdGpus({ root: config.root, node: config.node, count, purpose, gpus });
  } catch (error) {
    if (!(error instanceof GpusNotFree || error instanceof GpusUnknown)) throw error;
    throw new CliError(`Expected ${count} free GPUs (placement.grader_gpus): ${error.message}`);
  }
}

async function keepServing(config: Config, spec: Spec, kept: KeptGrader, gpus: string[]): Promise<void> {
  const { paths, endpoint, signal, warn, pause_ms = PAUSE_MS } = kept;
  let failed = 0;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    let served = false;
    try {
      await serveUntilAborted({
        config,
        paths,
        endpoint,
        run: spec.run,
        stage: 'serve',
        served: servedModel(spec, 'grader'),
        gpus,
        start_timeout_s: spec.limits.model_start_timeout_s,
        attempt,
        served_before: false,
        signal,
        ended: () => signal.reason,
        beat: () => {},
        // Only the death of a server that has served is reported as one.
        onInterruption: () => {
          served = true;
        },
      });
    } catch (error) {
      if (signal.aborted) return;
      const { message } = error as Error;
      if (failureType(error) !== 'ModelServerDied') throw new CliError(message);
      failed = served ? 0 : failed + 1;
      if (failed >= MAX_FAILED_STARTS) throw new CliError(`${failed} starts in a row failed. Last: ${message}`);
      warn(`${message}; starting it again.`);
      const pause = Math.min(LONGEST_PAUSE_MS, pause_ms * 2 ** failed);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}
