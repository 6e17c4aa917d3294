import { Context } from '@temporalio/activity';
import { Audit } from '../src/contracts/audit.ts';
import { failure } from '../src/failures.ts';
import { ledgerTotals } from '../src/ledger/totals.ts';
import { verifyServed } from '../src/ledger/verify.ts';
import { AuditRecords } from '../src/report/audit-records.ts';
import { writeReport as render } from '../src/report/write-report.ts';
import { readContractIfAny } from '../src/run-directory/files.ts';
import { type RunPaths, runPaths } from '../src/run-directory/paths.ts';
import { readVerifiedResult } from '../src/run-directory/result.ts';
import type { Dependencies } from './dependencies.ts';
import { whileBeating } from './while-beating.ts';

export interface WriteReportInput {
  run: string;
}

/** What the pipeline's workflow returns. */
export interface PipelineResult {
  run: string;
  verdict: 'PASS' | 'FAIL' | 'INCONCLUSIVE' | null;
  /** Path under GAVEL_ROOT. */
  report: string;
  policy_gain: number | null;
  quadratic_weighted_kappa: number | null;
}

/** Writes report.html from what the run directory holds. */
export const writeReport = ({ config }: Dependencies) =>
  async function writeReport({ run }: WriteReportInput): Promise<PipelineResult> {
    const paths = runPaths(config.root, run);
    const context = Context.current();
    // A long run's ledger takes minutes to add up.
    return whileBeating(
      5000,
      () => context.heartbeat(),
      () => report(paths, run, context.cancellationSignal),
    );
  };

async function report(paths: RunPaths, run: string, signal: AbortSignal): Promise<PipelineResult> {
  const { result, quarantined } = await readVerifiedResult(paths, 'audit', signal);
  const [damaged] = quarantined;
  if (!result && damaged) {
    const again = `Audit again: \`gavel run runs/${run}/spec.json --resume\``;
    throw failure('ResultDamaged', `audit: ${damaged.name}: ${damaged.reason}. ${again}`, { stage: 'audit' });
  }
  // The run may have been served since the audit.
  await verifyServed(paths);
  await render(paths, { ledger: await ledgerTotals(paths) });
  const audit = await readContractIfAny(paths.report.audit, Audit);
  const records = audit && new AuditRecords(audit);
  const point = (id: string) => records?.find(id)?.point ?? null;
  return {
    run,
    verdict: audit?.verdict ?? null,
    report: `runs/${run}/report/report.html`,
    policy_gain: point('policy.policy.held_out.gain'),
    quadratic_weighted_kappa: point('fidelity.grader.headline.quadratic_weighted_kappa'),
  };
}
