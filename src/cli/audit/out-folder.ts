import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { holdName } from '../../process/hold-name.ts';
import { CliError, EXIT } from '../exit.ts';

/** The folder of --out, which one audit at a time writes. */

/** Files of an audit that has ended: an earlier one's say nothing of the one that begins. */
const RESULTS = ['outcome.json', 'audit.json', 'report.html'];

/** Does `work` while no other audit on this machine writes `out`. Throws CliError (usage) where one does. */
export async function alone<T>(out: string, work: () => Promise<T>): Promise<T> {
  const release = await holdName(`gavel-audit-${createHash('sha256').update(realPath(out)).digest('hex')}`);
  if (release === null) {
    throw new CliError(`--out: expected a folder that no other audit writes, found one at work in ${out}.`, {
      hint: 'Wait until it has ended, or give this audit a folder of its own.',
      code: EXIT.usage,
    });
  }
  try {
    return await work();
  } finally {
    release();
  }
}

/** Removes what an earlier audit found. Its answers stay in the ledger, and the earlier command finds it again for nothing. */
export async function removeResults(out: string): Promise<void> {
  for (const name of RESULTS) await rm(join(out, name), { force: true });
}

/** Does `work`, and says of a full disk how to go on. Throws CliError. */
export async function onFullDisk<T>(out: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFullDisk(error)) throw error;
    throw fullDisk(out, error.message);
  }
}

/** `found`: what could not be written. */
export const fullDisk = (out: string, found: string): CliError =>
  new CliError(`Expected space for the audit in ${out}, found the disk full: ${found}`, {
    hint: 'Free some space. The same command again continues the audit: no answer that is on disk is asked for again.',
  });

const isFullDisk = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** One name for a folder, however it is reached, and whether or not it is there yet. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}
