import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { Audit } from '../../contracts/audit.ts';
import { ExternalAuditRequest } from '../../contracts/external-audit.ts';
import { Outcome } from '../../contracts/stage.ts';
import { type Gateway, startGateway } from '../../gateway/server.ts';
import { canonicalRubric, type LoadedRubric } from '../../judging/rubric.ts';
import { verifyAudited } from '../../ledger/verify.ts';
import { claimEpoch } from '../../run-directory/claim-epoch.ts';
import { readContract, readContractIfAny, writeAtomic } from '../../run-directory/files.ts';
import { pathsIn } from '../../run-directory/paths.ts';
import { CliError, EXIT } from '../exit.ts';
import { runPython } from '../python.ts';
import { confirm } from './confirm.ts';
import { type Estimate, estimate, estimateText } from './estimate.ts';
import { gatewayConfig } from './gateway-config.ts';
import { GradingScreen } from './grading-screen.ts';
import { openLooks } from './looks-file.ts';
import { fullDisk, removeResults } from './out-folder.ts';
import type { AuditCall } from './read-request.ts';
import { TimeLeft } from './time-left.ts';

const NOTHING: Estimate = { passes: [], calls: 0, answered: 0, prompt_tokens: 0, reply_tokens: 0, rows: null };

/** Estimates, asks a person where that is much, grades and computes. Throws CliError that says how to go on. */
export async function runAudit(config: Config, call: AuditCall): Promise<Audit> {
  const { out, rubric } = call;
  const { asked } = call.contestants;
  await openLooks(call.looks);
  if (asked.length > 0) await restoreLedger(out);
  const expected = rubric && asked.length > 0 ? await estimated(call, rubric) : NOTHING;
  console.error(asked.length > 0 ? estimateText(expected) : 'Nobody is asked: all verdicts come from files.');
  const terminal = { input: process.stdin, output: process.stderr };
  await confirm(expected.calls, { above: call.confirm_above, yes: call.yes, terminal });

  await mkdir(out, { recursive: true });
  await removeResults(out);
  const screen = new GradingScreen(new TimeLeft(expected.passes));
  const key = randomBytes(24).toString('base64url');
  const gateway = rubric && asked.length > 0 ? await openGateway(call, rubric, { key, screen }) : null;
  let request: string;
  let code: number;
  try {
    request = `${JSON.stringify(requestOf(call, gateway?.url ?? null, expected.rows), null, 2)}\n`;
    await writeAtomic(join(out, 'request.json'), request);
    const options = { env: { GAVEL_API_KEY: key }, onLine: (line: string) => screen.onLine(line) };
    code = await runPython(config, ['-m', 'gavel_train.audit.external', out], options);
  } finally {
    screen.end();
    await gateway?.close().catch(warnUnsealed);
  }
  if (code !== 0)
    throw failure(out, await readContractIfAny(join(out, 'outcome.json'), Outcome), code, asked.length > 0);
  return answerTo(request, join(out, 'audit.json'));
}

/** Each answer was on disk before its verdict was given; a seal only speeds up the next reading. */
function warnUnsealed(error: Error): void {
  console.error(`The last segment of the traces was not sealed: ${error.message}. All answers in it are on disk.`);
}

/** The audit at `path`, if it answers `request`. Throws CliError. */
async function answerTo(request: string, path: string): Promise<Audit> {
  const audit = await readContract(path, Audit);
  const digest = createHash('sha256').update(request).digest('hex');
  if (audit.request_digest === digest) return audit;
  throw new CliError(
    `Expected ${path} to answer the request ${digest}, found ${audit.request_digest ?? 'none named'}.`,
    {
      hint: 'Another process wrote it: run the same command again, into a folder that nothing else writes.',
    },
  );
}

/** Takes damaged lines of earlier attempts out of the ledger, before anything reads it: their verdicts are asked for again. */
async function restoreLedger(out: string): Promise<void> {
  for (const { name, reason, moved_to } of await verifyAudited(pathsIn(out))) {
    const where = moved_to === null ? '' : ` The original is ${moved_to}.`;
    console.error(`${name} was damaged: ${reason}.${where} What was lost is asked for again.`);
  }
}

/** No gateway asks by this number: the estimate only reads what others wrote. */
const NO_EPOCH = 1;

async function estimated(call: AuditCall, rubric: LoadedRubric): Promise<Estimate> {
  const { run, out, rows, max_rows, contestants, concurrency } = call;
  const config = gatewayConfig({ run, run_dir: out, epoch: NO_EPOCH }, contestants.asked, concurrency);
  // A hundred thousand rows take half a minute.
  const slow = setTimeout(() => console.error('Counting the calls ...'), 2000);
  try {
    return await estimate(config, rubric, { asked: contestants.asked, rows: { path: rows, max_rows } });
  } finally {
    clearTimeout(slow);
  }
}

async function openGateway(
  { run, out, contestants, concurrency }: AuditCall,
  rubric: LoadedRubric,
  { key, screen }: { key: string; screen: GradingScreen },
): Promise<Gateway> {
  const folder = pathsIn(out);
  // With a number of its own, two audits into one folder share their verdicts, and neither writes the other's segments.
  const epoch = await claimEpoch(folder.stage('audit'));
  await writeAtomic(folder.rubric, canonicalRubric(rubric));
  return startGateway(gatewayConfig({ run, run_dir: out, epoch }, contestants.asked, concurrency), key, (event) => {
    if (event.event === 'waiting') screen.onWait(event);
    if (event.event === 'recovered') screen.onWait(null);
  });
}

function requestOf(
  call: AuditCall,
  gateway_url: string | null,
  rows_counted: ExternalAuditRequest['rows_counted'],
): ExternalAuditRequest {
  const { run, rows, max_rows, contestants, rubric, confidence, slices, gates, looks } = call;
  const asked = contestants.asked.flatMap(({ role, modes, endpoint }) =>
    modes.map((mode) => ({ role, mode, source: 'endpoint' as const, gpus: endpoint.gpus })),
  );
  const brought = contestants.brought.map((each) => ({ ...each, source: 'file' as const }));
  return ExternalAuditRequest.parse({
    ...{ run, rows, rows_counted, max_rows, gateway_url, confidence, slices, gates, looks },
    contestants: [...asked, ...brought],
    headline_mode: contestants.headline_mode,
    reference_guided: rubric?.rubric.reference_guided ?? false,
    threshold: rubric?.rubric.threshold,
  });
}

/** Why the audit ended without figures, as its process wrote it down, and how to go on. */
function failure(out: string, outcome: Outcome | null, exit: number, pays: boolean): CliError {
  const message = outcome?.message ?? `The audit ended with exit code ${exit}.`;
  if (outcome?.cause === 'disk_full') return fullDisk(out, message);
  if (outcome?.status === 'bad_request') return new CliError(message, { code: EXIT.usage });
  const hint = pays
    ? 'The same command again continues it: no answer that is on disk is asked for again.'
    : 'The same command again starts it anew.';
  const stopped = outcome?.status === 'preempted' || exit === EXIT.interrupted;
  return new CliError(stopped ? 'The audit was stopped.' : message, {
    hint,
    code: stopped ? EXIT.interrupted : EXIT.failed,
  });
}
