import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** Rules of CONTRIBUTING.md that no linter here can check. */

const root = fileURLToPath(new URL('..', import.meta.url));
const CODE = new Set(['.ts', '.mjs', '.py']);
const GENERATED = new Set(['python/gavel_train/contracts.py']);
const MOST_LINES = 300;
const SAYS_NOTHING = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'managers']);

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => CODE.has(extname(path)) && !GENERATED.has(path));

/** A file that git lists and the working tree has lost has no lines. */
function linesOf(path: string): number {
  try {
    return readFileSync(join(root, path), 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

describe('the house', () => {
  test(`no file has more than ${MOST_LINES} lines`, () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((path) => linesOf(path) > MOST_LINES)).toEqual([]);
  });

  test('no file and no folder has a name that says nothing', () => {
    const parts = (path: string) => path.split('/').map((part) => basename(part, extname(part)));
    expect(files.filter((path) => parts(path).some((part) => SAYS_NOTHING.has(part)))).toEqual([]);
  });
});
