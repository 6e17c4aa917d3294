import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { orNull } from './files.ts';

/**
 * The one digest of models and artifacts, in both languages (`artifact_digest` in Python): of a file the sha256 of its content; of a
 * folder the sha256 over the sorted lines `<relative path> <sha256 of the file>\n`. Hidden files do not count: download tools and git
 * keep notes there that differ between equal copies. Null where nothing is there. Throws an AbortError as soon as `signal` aborts:
 * large weights take minutes.
 */
export async function digestOf(path: string, signal?: AbortSignal): Promise<string | null> {
  const found = await stat(path).catch(orNull);
  if (!found) return null;
  if (!found.isDirectory()) return await sha256File(path, signal);
  const lines: Buffer[] = [];
  for (const name of await readdir(path, { recursive: true })) {
    const file = join(path, name);
    if (isHidden(name) || (await stat(file)).isDirectory()) continue;
    lines.push(Buffer.from(`${name} ${await sha256File(file, signal)}\n`));
  }
  // By bytes, as Python sorts: JavaScript's own order differs beyond the basic plane.
  lines.sort(Buffer.compare);
  return createHash('sha256').update(Buffer.concat(lines)).digest('hex');
}

const isHidden = (name: string) => name.split('/').some((part) => part.startsWith('.'));

/** sha256 of a file, read as a stream: weights do not fit in memory twice. */
export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const read = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) hash.update(chunk);
  };
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), read, signal ? { signal } : {});
  return hash.digest('hex');
}
