import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { gavel } from '../gavel.ts';
import { model, placeWith } from './outside-audit.ts';

// Each audit starts Node and Python; on a machine that does other things too that takes many seconds.
vi.setConfig({ testTimeout: 180_000 });

/** Flips one bit in the second line of the only segment in `traces`. */
function damage(traces: string): void {
  const [name] = readdirSync(traces).filter((each) => each.endsWith('.jsonl'));
  const path = join(traces, name as string);
  const bytes = readFileSync(path);
  const at = bytes.indexOf(0x0a) + 40;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test.each(['sealed', 'unsealed'])(
  'an audit whose %s ledger has a flipped bit keeps the intact verdicts and asks for the lost one alone',
  async (kind) => {
    const place = placeWith(10);
    const grader = await model(8);
    onTestFinished(() => grader.stop());
    const out = join(place.folder, 'out');
    const traces = join(out, 'traces');
    const rows = ['--data', place.data, '--rubric', place.rubric, '--out', out];
    const command = ['audit', ...rows, '--grader', grader.url, '--grader-model', 'g', '--json'];
    const first = await gavel(command, place.env);
    expect(grader.chats, first.stderr).toHaveLength(20);
    damage(traces);
    if (kind === 'unsealed') {
      for (const name of readdirSync(traces)) if (!name.endsWith('.jsonl')) rmSync(join(traces, name));
    }
    const again = await gavel(command, place.env);
    expect(again.code, again.stderr).toBe(first.code);
    expect(again.stderr).toMatch(/audit-e1-000001\.jsonl was damaged: 1 of 20 lines .*; 1 trace lost, 19 kept/);
    expect(again.stderr).toMatch(/Calls: 1 .*; 19 more are answered already/);
    expect(grader.chats).toHaveLength(21);
    expect(readdirSync(join(out, 'quarantine')).filter((name) => name.endsWith('.reason.json'))).toHaveLength(1);
  },
);
