import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { FAILPOINTS, failpoint } from '../src/failpoints.ts';

const package_root = fileURLToPath(new URL('..', import.meta.url));
afterEach(() => {
  delete process.env.GAVEL_FAILPOINTS;
});

describe('a failpoint', () => {
  it('is on only while GAVEL_FAILPOINTS names it', () => {
    expect(failpoint('skip-fence')).toBe(false);
    process.env.GAVEL_FAILPOINTS = 'keep-leases,skip-fence';
    expect([failpoint('skip-fence'), failpoint('keep-leases'), failpoint('wrong-step')]).toEqual([true, true, false]);
  });

  it('that is unknown is refused, with the names that are known', () => {
    process.env.GAVEL_FAILPOINTS = 'skip-fense';
    expect(() => failpoint('skip-fence')).toThrow(
      /GAVEL_FAILPOINTS: Expected names among .*skip-fence.*, got skip-fense/,
    );
  });

  it('is placed in the product, in TypeScript or in Python', () => {
    const sources = ['src', 'activities', 'python/gavel_train'].flatMap((folder) =>
      readdirSync(join(package_root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|py)$/.test(name) && !/failpoints\.(ts|py)$/.test(name))
        .map((name) => readFileSync(join(package_root, folder, name), 'utf8')),
    );
    const matches = [...sources.join('\n').matchAll(/failpoint\(['"]([a-z-]+)['"]\)/g)];
    const placed = new Set(matches.map(([, name]) => name));
    expect([...placed].sort()).toEqual(Object.keys(FAILPOINTS).sort());
  });

  it('that Python knows is in the registry', () => {
    const text = readFileSync(join(package_root, 'python/gavel_train/run/failpoints.py'), 'utf8');
    const names = [...text.matchAll(/^ {4}"([a-z-]+)",$/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(Object.keys(FAILPOINTS)).toEqual(expect.arrayContaining(names));
  });
});
