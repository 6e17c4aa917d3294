import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Violation } from './checker.ts';
import { processesOf } from './processes.ts';

/** What a run that is over still holds under `root`: processes of its own (a moment is allowed) and leases of GPUs. */
export async function leftovers(root: string, allowed_s = 5): Promise<Violation[]> {
  const left = () => processesOf(root).filter(({ tag }) => tag !== null);
  for (const until = Date.now() + allowed_s * 1000; left().length > 0 && Date.now() < until; ) await sleep(50);
  const found = left().map(({ pid, command }) => ({
    assertion: 'no child process left over',
    detail: `${pid} ${command.slice(0, 160)}`,
  }));
  return [...found, ...leases(join(root, '.gavel/leases'))];
}

function leases(folder: string): Violation[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((detail) => ({ assertion: 'no GPU lease left over', detail }));
}
