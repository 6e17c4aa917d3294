import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import type { Random } from '../run/seeded-random.ts';

/** Flips a bit of a file, cuts it somewhere or takes it away; says which. */
export function damage(path: string, random: Random): string {
  const { size } = statSync(path);
  const how = random.pick(['flipped', 'cut', 'taken away']);
  if (how === 'taken away') rmSync(path);
  else {
    const at = Math.floor(random.next() * Math.max(1, size));
    const file = openSync(path, 'r+');
    if (how === 'cut') ftruncateSync(file, at);
    else {
      const byte = readFileSync(path)[at] ?? 0;
      writeSync(file, Buffer.from([byte ^ (1 << Math.floor(random.next() * 8))]), 0, 1, at);
    }
    closeSync(file);
  }
  return `${basename(path)} ${how}`;
}
