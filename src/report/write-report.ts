import { join } from 'node:path';
import type { Audit } from '../contracts/audit.ts';
import { writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { auditPage } from './audit-page.ts';
import { readRun } from './read-run.ts';
import type { AuditData, ReportExtras } from './report-data.ts';
import { runPage } from './run-page.ts';

/**
 * Writes the report of a run from what its run directory holds now, replacing an older one in one step.
 * Missing parts (no audit yet, no ground truth) are named in the report, not errors.
 */
export async function writeReport(paths: RunPaths, extras: Partial<ReportExtras> = {}): Promise<{ html: string }> {
  const data = await readRun(paths, { ledger: null, failure: null, ...extras });
  await writeAtomic(paths.report.html, await runPage(data));
  return { html: paths.report.html };
}

/** Writes `report.html` of an audit without a run into its folder and returns its path. */
export async function writeAuditReport(
  outDir: string,
  audit: Audit,
  extras: Partial<Omit<AuditData, 'audit'>> = {},
): Promise<{ html: string }> {
  const path = join(outDir, 'report.html');
  await writeAtomic(path, await auditPage({ rubric: null, ledger: null, command: null, ...extras, audit }));
  return { html: path };
}
