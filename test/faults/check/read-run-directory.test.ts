import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tracesIn } from '../../../bench/faults/check/read-ledger.ts';
import { lineOf } from '../../../src/ledger/line.ts';

const check = fileURLToPath(new URL('../../../bench/faults/check', import.meta.url));

describe('the reader of the checker', () => {
  it('asks none of the readers that it checks', () => {
    // The undisturbed run is the product itself, run once more.
    const own = readdirSync(check).filter((name) => !/^(undisturbed-run|replay-histories)\.ts$/.test(name));
    const imports = own.flatMap((name) =>
      [...readFileSync(join(check, name), 'utf8').matchAll(/^import (?!type )[^;]* from '([^']*\/src\/[^']*)'/gms)].map(
        ([, path]) => path,
      ),
    );
    expect(imports).toEqual([]);
  });

  it('finds a changed byte in a line of the ledger, and a line that is gone from the middle', () => {
    const lines = [1, 2, 3].map((n) => lineOf({ key: String(n), occasion: `call:${n}` }, n));
    const keys = (bytes: Buffer) => tracesIn(bytes, 's').traces.map(({ key }) => key);
    expect(keys(Buffer.concat(lines))).toEqual(['1', '2', '3']);
    const flipped = Buffer.concat(lines);
    flipped[10] = (flipped[10] ?? 0) ^ 1;
    expect(keys(flipped)).toEqual(['2', '3']);
    expect(tracesIn(flipped, 's').damage).toEqual([expect.stringMatching(/^s:1: its checksum is /)]);
    const gone = tracesIn(Buffer.concat([lines[0] as Buffer, lines[2] as Buffer]), 's');
    expect(gone.damage).toEqual(['s:2: it says that it is line 3']);
  });
});
