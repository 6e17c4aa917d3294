import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Claim, Ticket } from '../contracts/reservation.ts';
import { orNull } from '../run-directory/files.ts';
import { isOneReservation, supersedes } from './claims.ts';
import { queueFolder } from './lease-folder.ts';
import { forgetStill, stillFor } from './still.ts';

/**
 * The line of those that wait for GPUs of a node: one file each, named so that the first to ask sorts first. All of them are
 * made on the node itself, by one clock.
 */

/**
 * A waiter asks again every second or two. One that has not asked for this long reserves elsewhere or is dead, and the next in
 * line moves up.
 */
const waiterGone_ms = 30_000;

interface Place {
  name: string;
  /** null where it cannot be read. */
  ticket: Ticket | null;
  content: string;
}

async function places(folder: string): Promise<Place[]> {
  const queue = queueFolder(folder);
  const found: Place[] = [];
  for (const name of ((await readdir(queue).catch(orNull)) ?? []).sort()) {
    const content = await readFile(join(queue, name), 'utf8').catch(orNull);
    if (content !== null) found.push({ name, ticket: parse(content), content });
  }
  return found;
}

function parse(content: string): Ticket | null {
  try {
    return Ticket.safeParse(JSON.parse(content)).data ?? null;
  } catch {
    return null;
  }
}

/** Takes the claim's place in the line at the first call, and keeps it at later ones. Returns its name. */
export async function keepPlace(folder: string, claim: Claim, count: number): Promise<string> {
  const queue = queueFolder(folder);
  await mkdir(queue, { recursive: true });
  const mine = (await places(folder)).find((place) => place.ticket && isOneReservation(place.ticket.claim, claim));
  const content = `${JSON.stringify({ claim, count, beat: randomUUID() } satisfies Ticket)}\n`;
  if (mine && (await rewrite(join(queue, mine.name), content))) return mine.name;
  const name = `${String(Date.now()).padStart(15, '0')}-${randomUUID().slice(0, 8)}`;
  const file = await open(join(queue, name), 'wx');
  await file.writeFile(content).finally(() => file.close());
  return name;
}

/** Returns false where another process has removed it, and makes no new one then. */
async function rewrite(path: string, content: string): Promise<boolean> {
  const file = await open(path, 'r+').catch(orNull);
  if (!file) return false;
  try {
    // In one write, and of the same length but where the attempt's number has become longer: readers see no half.
    await file.write(content, 0);
    await file.truncate(Buffer.byteLength(content));
  } finally {
    await file.close();
  }
  return true;
}

/**
 * The first in line; waiters that no longer exist lose their places. `lives` says whether a waiter's owner exists, `outOfReach`
 * whether this node cannot give that many GPUs for now: such a waiter keeps its place, and others may pass it.
 */
export async function firstInLine(
  folder: string,
  asking: Claim,
  lives: (claim: Claim) => Promise<boolean>,
  outOfReach: (count: number) => boolean,
): Promise<{ name: string; claim: Claim | null } | null> {
  for (const { name, ticket, content } of await places(folder)) {
    const claim = ticket?.claim ?? null;
    // This claim's owner lives, because it is asking now.
    if (claim !== null && isOneReservation(claim, asking)) return { name, claim };
    const path = join(queueFolder(folder), name);
    const gone =
      stillFor(path, content) > waiterGone_ms ||
      (claim !== null && (supersedes(asking, claim) || !(await lives(claim))));
    if (!gone && ticket !== null && outOfReach(ticket.count)) continue;
    if (!gone) return { name, claim };
    await rm(path, { force: true });
    forgetStill(path);
  }
  return null;
}

export async function leaveLine(folder: string, belongs: (claim: Claim) => boolean): Promise<void> {
  for (const { name, ticket } of await places(folder)) {
    const path = join(queueFolder(folder), name);
    if (ticket === null || !belongs(ticket.claim)) continue;
    await rm(path, { force: true });
    forgetStill(path);
  }
}
