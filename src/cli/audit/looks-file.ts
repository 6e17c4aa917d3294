import { existsSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../../config.ts';
import { fsyncFolder } from '../../run-directory/files.ts';
import { markerOf } from '../../run-directory/root.ts';
import { CliError, EXIT } from '../exit.ts';

/** The file that counts the looks at each set of rows. */

/** Of the root, or else of the person: a folder that several people write would count one's looks as another's. */
export const looksFile = ({ root, state_home }: Pick<Config, 'root' | 'state_home'>): string =>
  existsSync(markerOf(root))
    ? join(root, '.gavel', 'audit-looks.jsonl')
    : join(state_home, 'gavel', 'audit-looks.jsonl');

/** Makes sure that a look can be counted at the end. Throws CliError (usage) where it cannot. */
export async function openLooks(path: string): Promise<void> {
  const folder = dirname(path);
  try {
    await mkdir(folder, { recursive: true });
    await (await open(path, 'a+')).close();
    await fsyncFolder(folder);
  } catch (error) {
    throw new CliError(
      `Expected a file that counts looks to read and write at ${path}, found: ${(error as Error).message}. Nothing was asked or paid.`,
      {
        hint: 'Make it writable, or name another folder in XDG_STATE_HOME, or a root of your own in GAVEL_ROOT.',
        code: EXIT.usage,
      },
    );
  }
}
