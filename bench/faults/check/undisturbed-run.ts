import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { type Config, loadConfig } from '../../../src/config.ts';
import { Audit, AuditRow } from '../../../src/contracts/audit.ts';
import { Spec } from '../../../src/contracts/spec/spec.ts';
import type { StageResult } from '../../../src/contracts/stage.ts';
import type { ServedRole, Trace } from '../../../src/contracts/trace.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { readJsonLines } from '../../../src/run-directory/files.ts';
import { type RunPaths, runPaths } from '../../../src/run-directory/paths.ts';
import { readResult } from '../../../src/run-directory/result.ts';
import { publishEndpoint } from '../../../src/serving/endpoints.ts';
import { policyEndpoints } from '../../../src/serving/served-model.ts';
import { auditGateway, judgeGateway, renderingGateway } from '../../../src/stage/gateway-settings.ts';
import { runStage } from '../../../src/stage/run-stage.ts';
import { takeEpoch } from '../../../src/stage/take-epoch.ts';
import type { DisturbedRun } from '../run/disturbed-run.ts';
import { journalsOfSeed, untilOf } from '../run/disturbed-run.ts';
import { damagedKeys } from './damaged-trace-keys.ts';
import { readJournals } from './read-journal.ts';
import { readLedger, tracesIn } from './read-ledger.ts';
import { RunDirectory } from './read-run-directory.ts';
import { usedCompletions } from './used-completions.ts';

/**
 * The witness: the same stages, run once and undisturbed, fed with the verdicts of the disturbed run's ledger. It has no judge: a
 * question that the ledger does not answer is a fault of the disturbed run.
 */

export interface Testimony {
  /** What is compared: "grpo adapter", "audit rows", "sft adapter", "audit figures". */
  what: string;
  disturbed: string;
  undisturbed: string;
}

export async function testimonies(run: DisturbedRun, package_root: string): Promise<Testimony[]> {
  const config = { ...loadConfig(), package_root };
  const disturbed = runPaths(run.root, run.run);
  const verdicts = verdictsOf(disturbed);
  const used = new Map(verdicts);
  // What a fault damaged after it had been used is gone from the ledger, but not from the training.
  const damaged = damagedKeys(run.folder);
  for (const trace of savedBy(run)) if (damaged.has(trace.key) && !used.has(trace.key)) used.set(trace.key, trace);
  const found: Testimony[] = [];
  const undisturbed = await undisturbedRun(run, package_root, 'witness-grpo', [...used.values()]);
  if (run.plan.scenario === 'served') await feedJournal(run, undisturbed);
  const grpo = await runUndisturbed(config, undisturbed, 'grpo');
  const told = await readResult(disturbed, 'grpo');
  found.push({
    what: 'grpo adapter',
    disturbed: adapterOf(disturbed, told),
    undisturbed: adapterOf(undisturbed, grpo),
  });
  found.push({
    what: 'audit rows',
    disturbed: await auditRows(disturbed, told),
    undisturbed: await auditRows(undisturbed, grpo),
  });
  if (untilOf(run.plan) === 'grpo') return found;
  const distilled = await undisturbedRun(run, package_root, 'witness-sft', [...verdicts.values()]);
  const sft = await runUndisturbed(config, distilled, 'sft');
  const grader = await readResult(disturbed, 'sft');
  found.push({ what: 'sft adapter', disturbed: graderOf(disturbed, grader), undisturbed: graderOf(distilled, sft) });
  if (untilOf(run.plan) === 'sft') return found;
  const audited = await undisturbedAudit(run, package_root);
  await runUndisturbed(config, audited, 'audit');
  found.push({ what: 'audit figures', disturbed: auditFigures(disturbed), undisturbed: auditFigures(audited) });
  return found;
}

/** A run directory with what the disturbed audit was given, whose ledger answers each question that it asked. */
export async function undisturbedAudit(
  run: Pick<DisturbedRun, 'folder' | 'root' | 'run'>,
  package_root: string,
): Promise<RunPaths> {
  const disturbed = runPaths(run.root, run.run);
  const paths = emptyRun(run, package_root, 'witness-audit');
  for (const path of ['grpo', 'traces']) {
    // Checkpoints are large, and not what is audited.
    const filter = (from: string) => !/\/(grpo\/checkpoints\/.|traces\/audit-)/.test(from);
    cpSync(join(disturbed.dir, path), join(paths.dir, path), { recursive: true, filter });
  }
  const { epoch } = await takeEpoch(paths, 'audit', { node: 'witness', pid: process.pid });
  await record(paths, 'audit', epoch, tracesOf(disturbed, 'audit'));
  return paths;
}

/** The traces of GRPO in the ledger, by key. */
export const verdictsOf = (paths: RunPaths): Map<string, Trace> => byKey(tracesOf(paths, 'grpo'));

/** Of two traces with one key the first counts. */
const byKey = (traces: readonly Trace[]) => new Map(traces.toReversed().map((trace) => [trace.key, trace]));

const directoryOf = ({ dir }: RunPaths) => new RunDirectory(join(dir, '../..'), basename(dir));

const tracesOf = (paths: RunPaths, stage: string): Trace[] =>
  readLedger(directoryOf(paths)).traces.filter((trace) => trace.stage === stage);

async function record(
  paths: RunPaths,
  stage: 'grpo' | 'audit',
  epoch: number,
  traces: readonly Trace[],
): Promise<void> {
  const ledger = await Ledger.open({ run_dir: paths.dir, stage, epoch });
  await Promise.all([...byKey(traces).values()].toReversed().map((trace) => ledger.append(trace)));
  await ledger.close();
}

function* savedBy({ folder }: DisturbedRun): Generator<Trace> {
  const saved = join(folder, 'saved');
  for (const name of existsSync(saved) ? readdirSync(saved).sort() : []) {
    if (!name.endsWith('.jsonl')) continue;
    yield* tracesIn(readFileSync(join(saved, name)), name, { numbered: false }).traces;
  }
}

/** The journal of the completions that the disturbed run was trained on, as if one earlier attempt had sampled them all. */
async function feedJournal(run: DisturbedRun, to: RunPaths): Promise<void> {
  const disturbed = runPaths(run.root, run.run);
  const directory = directoryOf(disturbed);
  const chain = [...directory.chain('grpo', (await readResult(disturbed, 'grpo'))?.checkpoint ?? null)];
  const manifests = chain.flatMap(({ manifest }) => (manifest ? [manifest] : [])).reverse();
  const journals = journalsOfSeed(run.folder);
  const lines = [...usedCompletions(readJournals(journals), manifests).values()].map(({ epoch, file, from, end }) =>
    readFileSync(join(journals, String(epoch).padStart(6, '0'), file)).subarray(from, end),
  );
  writeFileSync(join(to.stage('grpo').epoch(1).dir, 'journal-0-000000.jsonl'), Buffer.concat(lines));
}

/** A run directory of its own with the same spec and prompts, whose ledger holds `traces` and nothing else. */
export async function undisturbedRun(
  run: Pick<DisturbedRun, 'folder' | 'root' | 'run'>,
  package_root: string,
  name: string,
  traces: Trace[],
): Promise<RunPaths> {
  const paths = emptyRun(run, package_root, name);
  const { epoch } = await takeEpoch(paths, 'grpo', { node: 'witness', pid: process.pid });
  await record(paths, 'grpo', epoch, traces);
  return paths;
}

function emptyRun(
  { folder, root: disturbed_root, run }: Pick<DisturbedRun, 'folder' | 'root' | 'run'>,
  package_root: string,
  name: string,
): RunPaths {
  const root = join(folder, name);
  const paths = runPaths(root, run);
  const disturbed = runPaths(disturbed_root, run);
  mkdirSync(paths.traces, { recursive: true });
  for (const folder of ['models', 'examples']) symlinkSync(join(package_root, folder), join(root, folder));
  for (const path of ['spec.json', 'run.json', 'rubric.json', 'data'])
    cpSync(join(disturbed.dir, path), join(paths.dir, path), { recursive: true });
  for (const folder of [paths.logs, paths.endpoints, paths.report.dir]) mkdirSync(folder, { recursive: true });
  return paths;
}

function gatewayOf(stage: 'grpo' | 'sft' | 'audit', config: Config, spec: Spec) {
  if (stage === 'grpo') return judgeGateway.bind(null, config, spec);
  return (stage === 'audit' ? auditGateway : renderingGateway).bind(null, spec);
}

export async function runUndisturbed(
  config: Config,
  paths: RunPaths,
  stage: 'grpo' | 'sft' | 'audit',
): Promise<StageResult> {
  const spec = Spec.parse(JSON.parse(readFileSync(paths.spec, 'utf8')));
  const over = new AbortController();
  const nobody = createServer((incoming, outgoing) => {
    // An adapter is published at each step, whether or not a completion is left to sample.
    if (/_lora_adapter$/.test(incoming.url ?? '')) {
      outgoing.writeHead(200).end();
      return;
    }
    over.abort(new Error(`the witness asked a model: ${incoming.method} ${incoming.url}`));
    outgoing.writeHead(500).end();
  });
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  try {
    const ledger = readLedger(directoryOf(paths));
    for (const name of policyEndpoints(spec)) await publishEndpoint(paths, name, nowhere('policy', nobody));
    // Keys name the model that answered: its weights, under whatever address.
    for (const role of stage === 'audit' ? (['grader', 'base'] as const) : (['judge'] as const)) {
      const graded = ledger.traces.find((trace) => trace.role === role);
      if (graded) {
        const { model, model_digest } = graded;
        await publishEndpoint(paths, role, { ...nowhere(role, nobody), model, model_digest });
      }
    }
    return await runStage({
      config: { ...config, root: paths.root, node: 'witness', gpus: null },
      spec,
      stage,
      gpus: [],
      owner: null,
      reservation: 'undisturbed.1',
      signal: over.signal,
      grace_ms: () => 0,
      ended: () => over.signal.reason as Error,
      beat: () => undefined,
      onCommit: () => undefined,
      onInterruption: () => undefined,
      onAlarm: () => undefined,
      gateway: gatewayOf(stage, config, spec),
      secrets: {},
    });
  } finally {
    nobody.closeAllConnections();
    nobody.close();
  }
}

/** An endpoint whose server answers no question. */
const nowhere = (role: ServedRole, server: Server) => ({
  role,
  base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  model: role,
  model_digest: null,
  pid: null,
  host: '127.0.0.1',
  api_key_env: null,
  api_key_file: null,
  started_at: new Date().toISOString(),
});

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

export function adapterOf(paths: RunPaths, result: StageResult | null): string {
  if (!result?.checkpoint) return 'no checkpoint';
  return sha256(readFileSync(join(paths.stage('grpo').checkpoint(result.checkpoint), 'adapter_model.safetensors')));
}

function graderOf(paths: RunPaths, result: StageResult | null): string {
  if (!result) return 'no result';
  return sha256(readFileSync(join(paths.grader, 'adapter_model.safetensors')));
}

/** What the audit found, without when, and without how long the answers took. */
export function auditFigures(paths: RunPaths): string {
  if (!existsSync(paths.report.audit)) return 'no audit';
  const { created_at, passes, ...audit } = Audit.parse(JSON.parse(readFileSync(paths.report.audit, 'utf8')));
  const isOfSpeed = ({ id }: { id: string }) => id.startsWith('speed.');
  const records = audit.records.filter((record) => !isOfSpeed(record));
  const findings = audit.findings.filter((finding) => !isOfSpeed(finding));
  return sha256(JSON.stringify({ ...audit, records, findings }));
}

/** Completions that the judge graded for the audit; the names of checkpoints are left out, since they hold epochs. */
async function auditRows(paths: RunPaths, result: StageResult | null): Promise<string> {
  const path = result?.artifacts.audit_rows;
  if (!path) return 'no result';
  const rows: string[] = [];
  for await (const row of readJsonLines(join(paths.dir, path), AuditRow)) rows.push(`${row.id} ${row.completion}`);
  return sha256(rows.join('\n'));
}
