import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeProcessFolder } from './process-folder.ts';

/**
 * The key of a model server, for the gateways beside it. Server and gateways run on one machine as one user, in processes that know
 * nothing of each other, and the server may be started again, with another key, while a gateway lives. So the key stands in a file
 * outside the run directory, which is shared and copied; the endpoint file names it.
 */

const KEY = /^gavel-[A-Za-z0-9_-]{32}$/;

export interface HeldKey {
  key: string;
  file: string;
  /** Writes the file again where a cleaner of temporary folders has removed it, or its folder. */
  keep: () => Promise<void>;
  release: () => Promise<void>;
}

/** Makes a key for a server of this process, in a folder that only this user can read. */
export async function holdKey(temporary = tmpdir()): Promise<HeldKey> {
  const key = `gavel-${randomBytes(24).toString('base64url')}`;
  const folder = await makeProcessFolder('key', temporary);
  const file = join(folder, 'key');
  const write = async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(file, key, { mode: 0o600 });
  };
  await write();
  return {
    key,
    file,
    keep: async () => {
      if (!existsSync(file)) await write();
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
