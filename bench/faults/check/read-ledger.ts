import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { EpochRecord } from '../../../src/contracts/stage.ts';
import type { Trace } from '../../../src/contracts/trace.ts';
import { namesIn, parsed, type RunDirectory, read, sha256Of } from './read-run-directory.ts';

/** The ledger as docs/run-directory.md describes it, read without any of gavel's own readers. */

export interface Ledger {
  /** Traces that count, oldest segment first; one that is there twice is in here twice. */
  traces: Trace[];
  /** What of the bytes that count, and of the seals, is not as it was written. */
  damage: string[];
}

export function readLedger(run: RunDirectory): Ledger {
  const ledger: Ledger = { traces: [], damage: [] };
  const folder = join(run.dir, 'traces');
  const segments = namesIn(folder).flatMap((name) => {
    const place = segmentPlace(name);
    return place ? [{ name, ...place }] : [];
  });
  segments.sort((a, b) => a.stage.localeCompare(b.stage) || (a.epoch ?? 0) - (b.epoch ?? 0) || a.n - b.n);
  for (const { name, stage, epoch } of segments) {
    const bytes = readFileSync(join(folder, name));
    const counted = Math.min(wholeLines(bytes), acceptedBytes(run, stage, name, epoch));
    const { traces, damage } = tracesIn(bytes.subarray(0, counted), name);
    ledger.traces.push(...traces);
    ledger.damage.push(...damage, ...sealDamage(join(folder, name), bytes, counted));
  }
  return ledger;
}

/** `<stage>-e<epoch>-<n>.jsonl`; without an epoch, that of `gavel serve`. */
function segmentPlace(name: string): { stage: string; epoch: number | null; n: number } | null {
  const match = /^([a-z]+)(?:-e(\d+))?-(\d+)\.jsonl$/.exec(name);
  return match ? { stage: match[1] as string, epoch: match[2] ? Number(match[2]) : null, n: Number(match[3]) } : null;
}

function newestRecord(run: RunDirectory, stage: string): EpochRecord | null {
  for (const epoch of run.epochs(stage).reverse()) {
    const record = run.record(stage, epoch);
    if (record) return record;
  }
  return null;
}

/**
 * Segments of the newest epoch count whole, those of epochs before the newest record for what that accepted, and those between, whose
 * takers left no readable record, for the bytes that their seals cover. Segments of an epoch that no attempt took do not count.
 */
function acceptedBytes(run: RunDirectory, stage: string, name: string, epoch: number | null): number {
  const newest = run.epochs(stage).at(-1);
  if (epoch === null || newest === undefined || epoch === newest) return Number.POSITIVE_INFINITY;
  const record = newestRecord(run, stage);
  if (record && epoch < record.epoch) return record.accepted_segments[name] ?? 0;
  if (epoch > newest) return 0;
  const seal = parsed<{ bytes: number }>(join(run.dir, 'traces', name.replace(/\.jsonl$/, '.seal.json')));
  return seal?.bytes ?? Number.POSITIVE_INFINITY;
}

/** Bytes up to the last newline: what comes after was being written when its writer died. */
export const wholeLines = (bytes: Buffer) => bytes.lastIndexOf(0x0a) + 1;

/** The traces in whole lines of a segment; `numbered: false` where lines before them may be damaged. */
export function tracesIn(bytes: Buffer, name: string, { numbered = true } = {}): Ledger {
  const found: Ledger = { traces: [], damage: [] };
  let number = 0;
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0x0a, from);
    if (end < 0) break;
    number += 1;
    const read = traceIn(bytes.subarray(from, end), numbered ? number : null);
    if (typeof read === 'string') found.damage.push(`${name}:${number}: ${read}`);
    else found.traces.push(read);
    from = end + 1;
  }
  return found;
}

/** The trace in a line, or what is wrong with it. A line ends in its number and in the CRC-32 of what comes before that. */
function traceIn(line: Buffer, number: number | null): Trace | string {
  const tail = /^(.*),"crc32":"([0-9a-f]{8})"\}$/s.exec(line.toString('latin1'));
  if (!tail) return 'it has no checksum';
  const body = Buffer.from(tail[1] as string, 'latin1');
  const checksum = crc32(body).toString(16).padStart(8, '0');
  if (checksum !== tail[2]) return `its checksum is ${checksum}, it says ${tail[2]}`;
  const seq = /,"seq":(\d+)$/.exec(tail[1] as string);
  if (!seq) return 'it has no sequence number';
  if (number !== null && Number(seq[1]) !== number) return `it says that it is line ${seq[1]}`;
  const { seq: _, ...trace } = JSON.parse(`${body.toString('utf8')}}`) as Trace & { seq: number };
  return trace;
}

/** What is wrong with the seal of a segment. One that was written after its epoch was superseded covers void bytes. */
function sealDamage(path: string, bytes: Buffer, counted: number): string[] {
  const place = path.replace(/\.jsonl$/, '.seal.json');
  if (read(place) === null) return [];
  const seal = parsed<{ bytes: number; sha256: string; keys: number; index_sha256: string }>(place);
  if (typeof seal?.bytes !== 'number') return [`${place} cannot be read`];
  if (seal.bytes > counted) return [];
  const sealed = bytes.subarray(0, seal.bytes);
  const lines = sealed.reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0);
  if (sha256Of(sealed) !== seal.sha256 || lines !== seal.keys) return [`${place} is not the seal of its segment`];
  const index = path.replace(/\.jsonl$/, '.index');
  const found = existsSync(index) ? sha256Of(readFileSync(index)) : 'nothing';
  return found === seal.index_sha256 ? [] : [`${index} is not what its seal says`];
}
