import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { Endpoint } from '../../src/contracts/stage.ts';
import {
  appendLine,
  completeBytes,
  parseContract,
  readContract,
  readJsonLines,
  writeAtomic,
} from '../../src/run-directory/files.ts';
import { readResult } from '../../src/run-directory/result.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { aRun, anEndpoint as endpoint } from './a-run.ts';

const Line = z.strictObject({ n: z.int() });

async function all<T>(lines: AsyncIterable<T>) {
  const list: T[] = [];
  for await (const line of lines) list.push(line);
  return list;
}

test('a reader sees the old content or the new one while a file is replaced again and again', async () => {
  const path = join(temporaryFolder('test'), 'file');
  const contents = ['a', 'b'].map((letter) => letter.repeat(300_000));
  await writeAtomic(path, contents[0] ?? '');
  let writing = true;
  const writer = (async () => {
    for (let n = 0; n < 20; n += 1) await writeAtomic(path, contents[n % 2] ?? '');
    writing = false;
  })();
  while (writing) expect(contents).toContain(await readFile(path, 'utf8'));
  await writer;
});

test('a write that fails leaves the old file and no temporary one', async () => {
  const folder = temporaryFolder('test');
  await mkdir(join(folder, 'taken'));
  await expect(writeAtomic(join(folder, 'taken'), 'x')).rejects.toThrow(join(folder, 'taken'));
  expect(await readdir(folder)).toEqual(['taken']);
});

test('a full disk is named with the path and leaves nothing', async () => {
  const folder = temporaryFolder('test');
  await symlink('/dev/full', join(folder, 'full'));
  await expect(appendLine(join(folder, 'full'), { n: 1 })).rejects.toThrow(
    expect.objectContaining({ code: 'ENOSPC', message: expect.stringContaining(join(folder, 'full')) }),
  );
});

test('a broken contract names path, field, expected and found', async () => {
  const path = join(temporaryFolder('test'), 'endpoint.json');
  await writeFile(path, JSON.stringify({ ...endpoint, pid: 'twelve' }));
  await expect(readContract(path, Endpoint)).rejects.toThrow(
    `${path}: pid: Invalid input: expected number, received string; found "twelve".`,
  );
  await writeFile(path, '{"role": ');
  await expect(readContract(path, Endpoint)).rejects.toThrow(`Expected ${path} to hold JSON, got:`);
});

test('streams lines across chunks, leaves out the torn last one and stops at a byte', async () => {
  const path = join(temporaryFolder('test'), 'lines.jsonl');
  const lines = Array.from({ length: 20_000 }, (_, n) => `{"n":${n}}\n`).join('');
  await writeFile(path, `${lines}{"n":`);
  expect(await completeBytes(path)).toBe(lines.length);
  const read = await all(readJsonLines(path, Line));
  expect(read.map(({ n }) => n)).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
  expect(await all(readJsonLines(path, Line, { bytes: 16 }))).toEqual([{ n: 0 }, { n: 1 }]);
  expect(await all(readJsonLines(path, Line, { bytes: 0 }))).toEqual([]);
  expect(await all(readJsonLines(`${path}.not`, Line))).toEqual([]);
});

test('a bad line in the middle is named by its number', async () => {
  const path = join(temporaryFolder('test'), 'lines.jsonl');
  await writeFile(path, '{"n":1}\n{"n":"x"}\n');
  await expect(all(readJsonLines(path, Line))).rejects.toThrow(`${path}:2: n: `);
});

test('appending cuts off the torn line of a writer that died', async () => {
  const path = join(temporaryFolder('test'), 'metrics.jsonl');
  await appendLine(path, { n: 1 });
  await writeFile(path, '{"n":1}\n{"n":2');
  await appendLine(path, { n: 3 });
  expect(await readFile(path, 'utf8')).toBe('{"n":1}\n{"n":3}\n');
});

test('a stage without a result is not done', async () => {
  expect(await readResult(await aRun(), 'grpo')).toBeNull();
});

test('quotes no text of a file that does not meet its contract: such an error may end in history', () => {
  const Row = z.object({ prompt: z.string(), ground_truth: z.number(), id: z.int() });
  const failing = (text: string) => {
    try {
      parseContract(text, Row, '/runs/r/data/train.jsonl:7');
    } catch (error) {
      return (error as Error).message;
    }
    return 'nothing failed';
  };
  const story = 'Tom has 3 apples and a story to tell';
  expect(failing(`{"prompt": "p", "ground_truth": "${story}", "id": 1}`)).toMatch(
    /ground_truth: .*found a text of 36 char/,
  );
  expect(failing(`{"prompt": {"text": "${story}"}, "ground_truth": 1, "id": 1}`)).toMatch(/prompt: .*found an object/);
  expect(failing('{"prompt": "p", "ground_truth": 1, "id": "seven"}')).toMatch(/id: .*found "seven"/);
  expect(failing(`${story}`)).not.toContain('Tom has');
});
