import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/**
 * The key of a model server, for the gateways beside it. Server and gateways run on one machine as one user, in processes that know
 * nothing of each other, and the server may be started again, with another key, while a gateway lives. So the key stands in a file
 * outside the run directory, which is shared and copied; the endpoint file names it.
 */

const PREFIX = 'gavel-key-';
const KEY = /^gavel-[A-Za-z0-9_-]{32}$/;

export interface HeldKey {
  key: string;
  file: string;
  /** Writes the file again where a cleaner of temporary folders has removed it. */
  keep: () => Promise<void>;
  release: () => Promise<void>;
}

/** Makes a key for a server of this process, in a folder that only this user can read. */
export async function holdKey(): Promise<HeldKey> {
  await sweep();
  const key = `gavel-${randomBytes(24).toString('base64url')}`;
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const file = join(folder, 'key');
  const write = () => writeFile(file, key, { mode: 0o600 });
  await write();
  return {
    key,
    file,
    keep: async () => {
      if (!existsSync(file)) await write().catch(() => undefined);
    },
    release: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The key in `file`; throws where it is not there, or not a key that `holdKey` made: an endpoint file must not name others. */
export function readKey(file: string): string {
  const text = readFileSync(file, 'utf8');
  if (!KEY.test(text)) throw new Error(`Expected the key of a model server in ${file}, found something else.`);
  return text;
}

/** Removes what killed workers left. */
async function sweep(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX))) {
    const folder = join(tmpdir(), name);
    const pid = Number(name.slice(PREFIX.length).split('-', 1)[0]);
    const own = lstatSync(folder, { throwIfNoEntry: false })?.uid === userInfo().uid;
    if (own && isGone(pid)) await rm(folder, { recursive: true, force: true });
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
