import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { orNull, writeAtomic } from '../run-directory/files.ts';
import type { RunFolder, RunPaths } from '../run-directory/paths.ts';
import { locateModel } from './identity.ts';

/** Models that read graded text in a run: judge, base, and the grader, which has its base's tokenizer. */
const READERS = ['judge', 'base'] as const;

/** What of a tokenizer tells control tokens from text. */
const FILES = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];

/**
 * Keeps the tokenizers of hub models that are in the local cache when a run is prepared. Later ones do not count: what a graded text
 * may not spell is part of what is asked, and so of its key.
 */
export async function keepTokenizers(
  { root, hub_cache }: Pick<Config, 'root' | 'hub_cache'>,
  spec: Spec,
  to: RunFolder,
) {
  for (const role of READERS) {
    const location = locateModel(root, spec[role]);
    if (!('kind' in location) || location.kind !== 'hub') continue;
    const cached = `models--${location.name.replaceAll('/', '--')}`;
    const snapshot = join(hub_cache, cached, 'snapshots', location.revision);
    for (const file of FILES) {
      const bytes = await readFile(join(snapshot, file)).catch(orNull);
      if (bytes === null) continue;
      await mkdir(to.tokenizer(role), { recursive: true });
      await writeAtomic(join(to.tokenizer(role), file), bytes);
    }
  }
}

/** Folders with the tokenizers of the models that read graded text in a run; an outside judge has none. */
export function tokenizerFolders(spec: Spec, paths: RunPaths): string[] {
  const root = dirname(dirname(paths.dir));
  return READERS.flatMap((role) => {
    const location = locateModel(root, spec[role]);
    if (!('kind' in location)) return [];
    return [location.kind === 'folder' ? location.path : paths.tokenizer(role)];
  });
}
