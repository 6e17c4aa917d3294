import type { MeasureInfo, MeasureRecord } from '../contracts/audit.ts';

/** How figures are written, in the report and in the terminal. */

export type Unit = MeasureInfo['unit'];

export const percent = (value: number, digits = 0) => `${fixed(value * 100, digits)}%`;
export const points = (value: number) => `${signed(value * 100, 1)} points`;
export const count = (value: number) => value.toLocaleString('en-US');

/** Rounds without ever writing "-0". */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits).replace('-', '−');
  return /[1-9]/.test(text) ? text : text.replace('−', '');
}

function signed(value: number, digits: number): string {
  const text = fixed(value, digits);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** A level of confidence: "95%", "99.4%". */
export const level = (confidence: number) => `${Number((confidence * 100).toFixed(2))}%`;

const writers: Record<Unit, (value: number) => string> = {
  share: (value) => percent(value, 1),
  difference: points,
  kappa: (value) => fixed(value, 3),
  correlation: (value) => fixed(value, 3),
  score: (value) => fixed(value, 2),
  rate: (value) => `${fixed(value, 1)}/s`,
  ratio: (value) => `${fixed(value, 1)}×`,
};

export const figure = (value: number, unit: Unit): string => writers[unit](value);

/** "0.832 to 0.887"; null where a record has no interval. */
export function range({ low, high }: Pick<MeasureRecord, 'low' | 'high'>, unit: Unit): string | null {
  if (low === null || high === null) return null;
  return `${figure(low, unit)} to ${figure(high, unit)}`.replace(' points to ', ' to ');
}

/** "0.861 (0.832 to 0.887), n 480", or why there is no figure. */
export function recordText(record: MeasureRecord | null, unit: Unit): string {
  if (record === null) return 'not measured';
  return record.point === null ? pointText(record, unit) : `${pointText(record, unit)}, n ${count(record.n)}`;
}

/** "0.861 (0.832 to 0.887)", or why there is no figure. */
export function pointText(record: MeasureRecord, unit: Unit): string {
  if (record.point === null) return `not computable (n ${count(record.n)})`;
  const interval = record.low === record.high ? null : range(record, unit);
  return interval === null ? figure(record.point, unit) : `${figure(record.point, unit)} (${interval})`;
}

/** "a, b and c". */
export function listed(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join('');
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${fixed(seconds, 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${fixed(seconds / 60, 1)} min`;
  return `${fixed(seconds / 3600, 1)} h`;
}

/** ISO time as people read it, in UTC, to the second. */
export function clock(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
