import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { startGateway } from '../gateway/server.ts';
import { GpusNotFree, type HeldGpus, holdGpus } from '../gpus/hold-gpus.ts';
import { GpusUnknown, listGpus } from '../gpus/list.ts';
import { verifyServed } from '../ledger/verify.ts';
import { claimEpoch } from '../run-directory/claim-epoch.ts';
import { readSpec } from '../run-directory/create-run.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readEndpoint } from '../serving/endpoints.ts';
import { modelDigest } from '../serving/identity.ts';
import { gatewayRole, servedModel } from '../serving/served-model.ts';
import { tokenizerFolders } from '../serving/tokenizer-folders.ts';
import { serveUntilAborted } from '../stage/model-server.ts';
import { checkAudit } from './check-audit.ts';
import { CliError, EXIT } from './exit.ts';
import { needPort, parsePort } from './port.ts';
import { stopping } from './stopping.ts';
import { pathsOf } from './watch/follow-run.ts';

interface ServeOptions {
  host: string;
  port: number;
  role: string;
  record?: boolean;
  overrideAudit?: boolean;
}

export function define(program: Command): void {
  program
    .command('serve')
    .argument('<run>', 'name of a run whose grader is trained')
    .description(
      "Serves a run's grader with vLLM, behind the gateway: /v1/chat/completions, /v1/models, /v1/grade.\nThe key is GAVEL_API_KEY, or one that is made and printed once. Runs until Ctrl-C.",
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', parsePort, 8400)
    .option('--role <role>', 'what to serve', 'grader')
    .option('--record', 'keep chat completions as traces too')
    .option('--override-audit', 'serve a grader whose audit did not PASS')
    .action((run: string, options: ServeOptions) => serve(loadConfig(), run, options));
}

async function serve(config: Config, run: string, options: ServeOptions): Promise<void> {
  if (options.role !== 'grader')
    throw new CliError(`Expected --role grader, got ${options.role}.`, { code: EXIT.usage });
  const paths = pathsOf(config, run);
  if (!existsSync(paths.merged)) {
    throw new CliError(`Expected a trained grader at ${paths.merged}, found none.`, {
      hint: `See how far the run is: \`gavel status ${run}\`.`,
    });
  }
  const model_digest = await modelDigest({ kind: 'folder', path: paths.merged });
  await checkAudit(paths, { model_digest, node: config.node, override: options.overrideAudit ?? false });
  await needPort(options.port, '--port', options.host);
  const spec = await readSpec(paths);
  const began = new Date().toISOString();
  let loaded = false;
  const stop = stopping();
  const ending = new AbortController();
  void stop.promise.then(() => ending.abort());
  const model = keepModel(config, spec, paths, ending.signal);
  // What a failed start of the model says is worth more than anything after it.
  model.catch(() => ending.abort());
  const key = config.api_key ?? `gavel-${randomBytes(24).toString('base64url')}`;
  // A number of its own: whoever else serves this run writes other segments, and neither makes the other's void.
  const epoch = await claimEpoch(paths.stage('serve'));
  for (const { name, reason } of await verifyServed(paths)) console.error(`${name} was damaged: ${reason}`);
  const gateway = await startGateway(gatewayConfig(spec, paths, epoch, options), key, (event) => {
    if (event.event === 'waiting' && loaded) console.error(`Waiting for the ${event.for}: ${event.reason}`);
    if (event.event === 'recovered') console.error(`The ${event.for} is back after ${event.seconds.toFixed(0)} s.`);
  });
  try {
    console.log(`Loading the grader of ${run} ...`);
    const name = await modelName(paths, began, ending.signal);
    loaded = name !== null;
    if (name !== null) console.log(usage(gateway.url, name, config.api_key === null ? key : null));
    await model;
  } finally {
    await gateway.close();
  }
  process.exitCode = EXIT.ok;
}

/** Keeps vLLM up until the signal; a server that dies is started again, one that does not start is an error. */
async function keepModel(config: Config, spec: Spec, paths: RunPaths, signal: AbortSignal): Promise<void> {
  const { release, gpus } = await leased(config, spec);
  try {
    await keepServing(config, spec, paths, gpus, signal);
  } finally {
    await release();
  }
}

/** GPUs by the same leases as everybody else's, so that no stage of a run takes them meanwhile. */
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

async function keepServing(
  config: Config,
  spec: Spec,
  paths: RunPaths,
  gpus: string[],
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      await serveUntilAborted({
        config,
        paths,
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
        onInterruption: ({ latest }) => console.error(`${latest.at(-1)?.message}; starting it again.`),
      });
    } catch (error) {
      if (signal.aborted) return;
      const died = (error as { type?: string }).type === 'ModelServerDied';
      if (!died) throw new CliError((error as Error).message);
    }
  }
}

function gatewayConfig(spec: Spec, paths: RunPaths, epoch: number, { host, port, record }: ServeOptions) {
  return GatewayConfig.parse({
    run: spec.run,
    run_dir: paths.dir,
    stage: 'serve' as const,
    epoch,
    host,
    port,
    rubric: paths.rubric,
    tokenizers: tokenizerFolders(spec, paths),
    record_chat: record ?? false,
    // A client of a served model would rather be told than wait for half an hour.
    roles: { grader: { ...gatewayRole(spec, paths, 'grader'), outage_limit_s: 60 } },
  });
}

/** Name of the model once its server answers: the endpoint is published then. Null where the wait was ended. */
async function modelName(paths: RunPaths, began: string, signal: AbortSignal): Promise<string | null> {
  while (!signal.aborted) {
    const endpoint = await readEndpoint(paths, 'grader').catch(() => null);
    // An older one belongs to a server that was killed.
    if (endpoint && endpoint.started_at >= began) return endpoint.model;
    await sleep(300);
  }
  return null;
}

function usage(url: string, model: string, newKey: string | null): string {
  return `
Serving ${model} at ${url}/v1
${newKey === null ? 'Key: the one in GAVEL_API_KEY' : `Key (shown once): ${newKey}`}

  curl ${url}/v1/grade -H "Authorization: Bearer $GAVEL_API_KEY" -H 'Content-Type: application/json' \\
    -d '{"role": "grader", "occasion": "call:1", "prompt": "PROMPT", "completion": "ANSWER"}'

  from openai import OpenAI
  client = OpenAI(base_url="${url}/v1", api_key=os.environ["GAVEL_API_KEY"])
  client.chat.completions.create(model="${model}", messages=[{"role": "user", "content": "..."}])

Ctrl-C ends it.`;
}
