import { writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { page } from './page.ts';
import { type ReportExtras, readRun } from './read-run.ts';

/**
 * Writes the report of a run from what its run directory holds now, replacing an older one in one step.
 * Missing parts (no audit yet, no ground truth) are named in the report, not errors.
 */
export async function writeReport(paths: RunPaths, extras: Partial<ReportExtras> = {}): Promise<{ html: string }> {
  const data = await readRun(paths, { ledger: null, failure: null, ...extras });
  await writeAtomic(paths.report.html, await page(data));
  return { html: paths.report.html };
}
