import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the real command and waits for its end. No process listens on port 1, so no test meets a server by chance. */
export function gavel(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--no-warnings', cli, ...args],
      { env: { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1', ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** A GAVEL_ROOT of its own, removed by the returned function. */
export function makeRoot(): { root: string; remove: () => void } {
  const root = mkdtempSync(join(tmpdir(), 'gavel-cli-'));
  writeFileSync(join(root, '.gavel-root'), randomUUID());
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
