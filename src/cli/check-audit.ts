import { appendFile } from 'node:fs/promises';
import type { Audit, AuditOverride } from '../contracts/audit.ts';
import { ledgerTotals } from '../ledger/totals.ts';
import { writeReport } from '../report/write-report.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { CliError, EXIT } from './exit.ts';
import { readAudit } from './summary.ts';

/**
 * Refuses a grader that no audit cleared: its verdict is not PASS, or the weights that were audited are others. With `override` it
 * is served anyway, and the run's report says so from then on.
 */
export async function checkAudit(
  paths: RunPaths,
  { model_digest, node, override }: { model_digest: string; node: string; override: boolean },
): Promise<void> {
  const audit = await readAudit(paths);
  const reason = objection(audit, model_digest);
  if (reason === null) return;
  if (!override) {
    throw new CliError(`Expected a grader whose audit is PASS, found that ${reason} (${paths.report.html}).`, {
      hint: 'Use --override-audit to serve it anyway.',
      code: audit?.verdict === 'INCONCLUSIVE' ? EXIT.audit_inconclusive : EXIT.audit_fail,
    });
  }
  const line: AuditOverride = { at: new Date().toISOString(), node, reason, model_digest };
  await appendFile(paths.report.overrides, `${JSON.stringify(line)}\n`);
  await writeReport(paths, { ledger: await ledgerTotals(paths) });
  console.error(`Warning: ${reason}; it is served because of --override-audit, and the report of the run says so now.`);
}

/** Why the grader should not be served; null where its audit cleared it. */
function objection(audit: Audit | null, model_digest: string): string | null {
  if (audit === null) return 'it has not been audited';
  if (audit.verdict !== 'PASS') return `its audit is ${audit.verdict}`;
  const isGrader = ({ role }: { role: string }) => role === 'grader';
  const files = audit.contestants.filter((one) => isGrader(one) && one.source === 'file');
  // A file of verdicts names no weights that could be compared.
  if (files.length > 0) return `its audit is of verdicts from the file ${files[0]?.file}, which names no weights`;
  const audited = audit.passes.filter(isGrader).map((pass) => pass.model_digest);
  const other = audited.find((digest) => digest !== model_digest);
  if (audited.length > 0 && other === undefined) return null;
  return `its audit is of other weights: of ${other ?? 'none that it names'}, and these are ${model_digest}`;
}
