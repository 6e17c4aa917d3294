import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logged } from '../observe/event-log.ts';
import { listeners } from '../observe/listening-sockets.ts';
import { processesOf } from '../observe/processes.ts';
import type { Violation } from './assertions.ts';

/** What a run that is over still holds under `root`: processes of its own (a moment is allowed), ports, and leases of GPUs. */
export async function leftovers(root: string, events: readonly Logged[], allowed_s = 5): Promise<Violation[]> {
  const left = () => [...children(root), ...ports(events)];
  for (const until = Date.now() + allowed_s * 1000; left().length > 0 && Date.now() < until; ) await sleep(50);
  return [...left(), ...leases(join(root, '.gavel/leases'))];
}

function children(root: string): Violation[] {
  return processesOf(root)
    .filter(({ tag }) => tag !== null)
    .map(({ pid, command }) => ({
      assertion: 'no child process left over',
      detail: `${pid} ${command.slice(0, 160)}`,
    }));
}

/** Sockets of gateways and model servers, seen while these were in use, that still listen, whichever process holds them now. */
function ports(events: readonly Logged[]): Violation[] {
  const now = listeners();
  return events.flatMap((event) =>
    event.event === 'listener' && now.get(event.port)?.has(event.socket)
      ? [{ assertion: 'no port left over', detail: `${event.port}, of ${event.what}` }]
      : [],
  );
}

function leases(folder: string): Violation[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((detail) => ({ assertion: 'no GPU lease left over', detail }));
}
