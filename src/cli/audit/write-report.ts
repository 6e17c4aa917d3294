import { join } from 'node:path';
import type { Audit } from '../../contracts/audit.ts';
import { judgeTotals } from '../../ledger/totals.ts';
import { writeAuditReport } from '../../report/write-report.ts';
import { pathsIn } from '../../run-directory/paths.ts';
import type { AuditCall } from './read-request.ts';

/** Writes the report, and returns where everything of the audit is. */
export async function writeReport(
  { out, rubric, looks, contestants }: AuditCall,
  audit: Audit,
): Promise<Record<string, string>> {
  const asked = contestants.asked.length > 0;
  const folder = pathsIn(out);
  const command = ['gavel', ...process.argv.slice(2)].map(quoted).join(' ');
  const { html } = await writeAuditReport(out, audit, {
    rubric: asked ? (rubric?.rubric ?? null) : null,
    ledger: asked ? await judgeTotals(out) : null,
    command,
  });
  return {
    Report: html,
    Figures: join(out, 'audit.json'),
    ...(asked && { Traces: folder.traces }),
    Looks: looks,
  };
}

/** A word as a shell takes it. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
