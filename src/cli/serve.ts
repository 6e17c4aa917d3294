import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { startGateway } from '../gateway/server.ts';
import { verifyServed } from '../ledger/verify.ts';
import { claimEpoch } from '../run-directory/claim-epoch.ts';
import { readSpec } from '../run-directory/create-run.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readEndpoint } from '../serving/endpoints.ts';
import { modelDigest } from '../serving/identity.ts';
import { gatewayRole } from '../serving/served-model.ts';
import { tokenizerFolders } from '../serving/tokenizer-folders.ts';
import { checkAudit } from './check-audit.ts';
import { CliError, EXIT } from './exit.ts';
import { keepGrader } from './keep-grader.ts';
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
  let loaded = false;
  const stop = stopping();
  const ending = new AbortController();
  void stop.promise.then(() => ending.abort());
  // With a number of its own, another `gavel serve` of this run writes other segments, and neither makes the other's void.
  const epoch = await claimEpoch(paths.stage('serve'));
  // With an endpoint of its own, it leaves those of the audit and of other servers of this run as they are.
  const endpoint = `serve-e${epoch}`;
  const key = config.api_key ?? `gavel-${randomBytes(24).toString('base64url')}`;
  for (const { name, reason } of await verifyServed(paths)) console.error(`${name} was damaged: ${reason}`);
  const gateway = await startGateway(gatewayConfig(spec, paths, { ...options, epoch, endpoint }), key, (event) => {
    if (event.event === 'waiting' && loaded) console.error(`Waiting for the ${event.for}: ${event.reason}`);
    if (event.event === 'recovered') console.error(`The ${event.for} is back after ${event.seconds.toFixed(0)} s.`);
  });
  // Started last: whatever throws before it leaves no model server behind.
  const model = keepGrader(config, spec, { paths, endpoint, signal: ending.signal, warn: console.error });
  // The error of a failed start names the cause; later errors only follow from it.
  model.catch(() => ending.abort());
  try {
    console.log(`Loading the grader of ${run} ...`);
    const name = await modelName(paths, endpoint, ending.signal);
    loaded = name !== null;
    if (name !== null) console.log(usage(gateway.url, name, config.api_key === null ? key : null));
    await model;
  } finally {
    await gateway.close();
  }
  process.exitCode = EXIT.ok;
}

function gatewayConfig(spec: Spec, paths: RunPaths, options: ServeOptions & { epoch: number; endpoint: string }) {
  const { host, port, record, epoch, endpoint } = options;
  const grader = gatewayRole(spec, paths, 'grader');
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
    // A client of a served model needs an error within a minute, not a wait of half an hour.
    roles: { grader: { ...grader, endpoint_file: paths.endpoint(endpoint), outage_limit_s: 60 } },
  });
}

/** Name of the model once its server answers: the endpoint is published then. Null where the wait was ended. */
async function modelName(paths: RunPaths, endpoint: string, signal: AbortSignal): Promise<string | null> {
  while (!signal.aborted) {
    const published = await readEndpoint(paths, endpoint).catch(() => null);
    if (published) return published.model;
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
