import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readJournals } from '../../../bench/faults/check/read-journal.ts';
import { JournalCopies } from '../../../bench/faults/observe/journal-copies.ts';

let folder: string;
let journal: string;
let copies: JournalCopies;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gavel-copies-'));
  mkdirSync(join(folder, 'epochs/000003'), { recursive: true });
  journal = join(folder, 'epochs/000003/journal-0-000000.jsonl');
  copies = new JournalCopies(join(folder, 'epochs'), join(folder, 'copies'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const line = (step: number) => {
  const body = JSON.stringify({ step, group: 0, rollout: 1 });
  return `${crc32(Buffer.from(body)).toString(16).padStart(8, '0')} ${body}\n`;
};
const steps = () => readJournals(copies.folder).map(({ epoch, step }) => `${epoch}: ${step}`);

it('copies what is appended, half lines too, and keeps it when the journal is damaged and removed', () => {
  writeFileSync(journal, line(1) + line(2).slice(0, 12));
  copies.copy();
  expect(steps()).toEqual(['3: 1']);
  appendFileSync(journal, line(2).slice(12));
  copies.copy();
  expect(steps()).toEqual(['3: 1', '3: 2']);
  truncateSync(journal, line(1).length + 5);
  copies.copy();
  rmSync(journal);
  copies.copy();
  expect(steps()).toEqual(['3: 1', '3: 2']);
});

it('says where each line is, and leaves out those that were altered', () => {
  writeFileSync(journal, line(1) + line(2).replace('"group":0', '"group":1') + line(3));
  copies.copy();
  const entries = readJournals(copies.folder);
  expect(entries.map(({ step }) => step)).toEqual([1, 3]);
  const bytes = readFileSync(journal);
  expect(entries.map(({ from, end }) => bytes.subarray(from, end).toString())).toEqual([line(1), line(3)]);
});
