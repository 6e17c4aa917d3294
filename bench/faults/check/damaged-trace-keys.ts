import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Keys of the traces whose lines a fault broke: those alone may be missing. */
export function damagedKeys(folder: string): Set<string> {
  const saved = join(folder, 'saved');
  const lists = existsSync(saved) ? readdirSync(saved).filter((name) => name.endsWith('.lost')) : [];
  return new Set(lists.flatMap((name) => JSON.parse(readFileSync(join(saved, name), 'utf8')) as string[]));
}
