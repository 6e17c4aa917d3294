import type { Audit, MeasureInfo, MeasureRecord } from '../contracts/audit.ts';

/** One of those that an audit compares, in one mode. */
export interface Asked {
  role: string;
  mode: string;
}

export interface RecordId extends Asked {
  part: string;
  measure: string;
}

export function parseId(id: string): RecordId {
  const [part = '', role = '', mode = '', measure = ''] = id.split('.');
  return { part, role, mode, measure };
}

/** The mode of a contestant that is computed and asks no model, say one that calls every answer right. */
const COMPUTED = 'constant';

/** The mode of verdicts from a file that states none. */
const UNSTATED = 'file';

export const isComputed = ({ mode }: Asked): boolean => mode === COMPUTED;

export const plain = (name: string) => name.replaceAll('_', ' ');

/** "grader, single token", or the role alone where the mode says nothing. */
export const askedName = ({ role, mode }: Asked): string =>
  mode === COMPUTED || mode === UNSTATED ? plain(role) : `${plain(role)}, ${plain(mode)}`;

export const sameAsked = (one: Asked, other: Asked): boolean => one.role === other.role && one.mode === other.mode;

/** The part that is about the policy and not about the grader; only an audit of a run has it. */
export const POLICY = 'policy';

/** Finds the records of an audit by id and slice. */
export class AuditRecords {
  readonly audit: Audit;
  private readonly bySlice = new Map<string, Map<string, MeasureRecord>>();

  constructor(audit: Audit) {
    this.audit = audit;
    for (const record of audit.records) {
      const slice = this.bySlice.get(record.slice) ?? new Map<string, MeasureRecord>();
      this.bySlice.set(record.slice, slice.set(record.id, record));
    }
  }

  /** Every part that the audit describes or has records of. */
  parts(): Audit['parts'] {
    const described = this.audit.parts;
    const seen = new Set(this.audit.records.map(({ id }) => parseId(id).part));
    for (const { part } of described) seen.delete(part);
    return [...described, ...[...seen].map((part) => ({ part, question: plain(part), meaning: '', needs: '' }))];
  }

  /** The parts that are about the grader. */
  graderParts(): Audit['parts'] {
    return this.parts().filter(({ part }) => part !== POLICY);
  }

  /** A record by its id, in which the mode `headline` stands for the audit's; null: it was not measured. */
  find(id: string, slice = 'all'): MeasureRecord | null {
    return this.bySlice.get(slice)?.get(this.resolve(id)) ?? null;
  }

  of(part: string, { role, mode }: Asked, measure: string, slice = 'all'): MeasureRecord | null {
    return this.find(`${part}.${role}.${mode}.${measure}`, slice);
  }

  private resolve(id: string): string {
    const { part, role, mode, measure } = parseId(id);
    return mode === 'headline' ? `${part}.${role}.${this.audit.headline_mode}.${measure}` : id;
  }

  /** What the measure of a record is; one that the audit does not describe is a plain number. */
  measure(id: string): MeasureInfo {
    const { part, measure } = parseId(id);
    return (
      this.audit.measures.find((info) => info.part === part && info.name === measure) ?? {
        ...{ part, name: measure, label: plain(measure), unit: 'score', meaning: '', chance: null, chart: false },
      }
    );
  }

  /** The measures that a part has records of, in the audit's order. */
  measures(part: string, slice = 'all'): MeasureInfo[] {
    const ids = [...(this.bySlice.get(slice)?.keys() ?? [])].filter((id) => parseId(id).part === part);
    const found = new Map(ids.map((id) => [parseId(id).measure, this.measure(id)]));
    const known = this.audit.measures.filter((info) => info.part === part).map(({ name }) => name);
    const rank = (name: string) => (known.includes(name) ? known.indexOf(name) : known.length);
    return [...found.values()].sort((a, b) => rank(a.name) - rank(b.name));
  }

  /** Who has records in a part: graders with the headline mode first, judge, others, base, what is computed. */
  asked(part: string, slice = 'all'): Asked[] {
    const found = new Map<string, Asked>();
    for (const id of this.bySlice.get(slice)?.keys() ?? []) {
      const { part: its, role, mode } = parseId(id);
      if (its === part) found.set(`${role}.${mode}`, { role, mode });
    }
    return [...found.values()].sort((a, b) => this.rank(a) - this.rank(b));
  }

  rank(asked: Asked): number {
    if (isComputed(asked)) return 5;
    if (this.isHeadline(asked)) return 0;
    return { grader: 1, judge: 2, base: 4 }[asked.role] ?? 3;
  }

  /** Whether it is the grader in the mode that the default gates are about. */
  isHeadline({ role, mode }: Asked): boolean {
    return role === 'grader' && mode === this.audit.headline_mode;
  }

  /** Contestants whose verdicts are audited: not the judge, nor what they are compared with. */
  candidates(): Asked[] {
    return this.audit.contestants
      .filter((one) => !['judge', 'base'].includes(one.role) && !isComputed(one))
      .sort((a, b) => this.rank(a) - this.rank(b));
  }
}
