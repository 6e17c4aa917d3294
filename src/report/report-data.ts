import type { Alarm } from '../contracts/alarm.ts';
import type { Audit, AuditOverride } from '../contracts/audit.ts';
import type { Interruption } from '../contracts/interruption.ts';
import type { Rubric } from '../contracts/rubric.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { MetricLine, StageResult } from '../contracts/stage.ts';
import type { LedgerTotals } from '../ledger/totals.ts';

/** What the run directory does not hold. `null`: not known. */
export interface ReportExtras {
  ledger: LedgerTotals | null;
  /** One line on why the run failed; null where it did not. */
  failure: string | null;
}

/** Something in quarantine/, and why it was put there if that was written down. */
export interface SetAside {
  name: string;
  reason: string | null;
}

/** What the report of a run is made from. */
export interface ReportData extends ReportExtras {
  run: string;
  spec: Spec | null;
  spec_digest: string | null;
  rubric: Rubric | null;
  audit: Audit | null;
  /** One line a stage and step, the newest epoch's, in order of step. */
  metrics: MetricLine[];
  stages: StageResult[];
  interruptions: Interruption[];
  alarms: Alarm[];
  quarantine: SetAside[];
  overrides: AuditOverride[];
  /** Files that are there but could not be read, one sentence each. */
  problems: string[];
}

/** What the report of an audit without a run is made from. */
export interface AuditData {
  audit: Audit;
  /** null: no model was asked, so nothing was put before one. */
  rubric: Rubric | null;
  /** What the judge cost; null: no ledger was read. */
  ledger: LedgerTotals | null;
  /** The command that made the audit, as it would be typed; null: not known. */
  command: string | null;
}
