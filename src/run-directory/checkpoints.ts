import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, normalize } from 'node:path';
import { Manifest } from '../contracts/stage.ts';
import { sha256File } from './digest.ts';
import { ContractError, fsyncFolder, linkOrCopy, orNull, parseContract, writeAtomic } from './files.ts';

export type Verified =
  | { ok: true; manifest: Manifest; manifest_sha256: string }
  | { ok: false; reason: string; missing: boolean; manifest: Manifest | null };

/** Something that was not as it was written, or is not there. */
export interface Quarantined {
  name: string;
  reason: string;
  /** Where it is now; null where it was missing, or another attempt moved it. */
  moved_to: string | null;
}

/** File that a checkpoint keeps when its weights were pruned: a link of the chain, no resume point, and no damage either. */
export const PRUNED = 'pruned.json';

/**
 * Holds a checkpoint's files against its manifest: names, sizes, digests. `manifest_sha256` (from HEAD) binds the manifest
 * itself. Only what is on the disk decides: a failure to read it (EIO, EACCES) throws, because it says nothing about the bytes.
 */
export async function verifyCheckpoint(folder: string, manifest_sha256?: string): Promise<Verified> {
  const path = join(folder, 'manifest.json');
  const bad = (reason: string, manifest: Manifest | null, missing = false): Verified => ({
    ok: false,
    reason,
    missing,
    manifest,
  });
  const text = await readFile(path).catch(orNull);
  if (text === null) {
    const exists = (await stat(folder).catch(orNull)) !== null;
    return bad(exists ? 'has no manifest.json: it was never committed' : 'is not there', null, !exists);
  }
  let manifest: Manifest;
  try {
    manifest = parseContract(text.toString('utf8'), Manifest, path);
  } catch (error) {
    if (error instanceof ContractError) return bad(error.message, null);
    throw error;
  }
  const digest = createHash('sha256').update(text).digest('hex');
  if (manifest_sha256 !== undefined && digest !== manifest_sha256) {
    return bad(`manifest.json: expected sha256 ${manifest_sha256} as HEAD says, got ${digest}`, null);
  }
  if (manifest.name !== basename(folder)) {
    return bad(`manifest.json: expected name ${basename(folder)}, got ${manifest.name}`, null);
  }
  for (const [name, expected] of Object.entries(manifest.files)) {
    if (isAbsolute(name) || normalize(name).startsWith('..')) return bad(`${name}: not a path inside it`, manifest);
    const file = join(folder, name);
    const found = await stat(file).catch(orNull);
    if (!found) return bad(`${name}: expected ${expected.bytes} bytes, got no file`, manifest);
    if (found.size !== expected.bytes) {
      return bad(`${name}: expected ${expected.bytes} bytes, got ${found.size}`, manifest);
    }
  }
  // Sizes first, all of them: they cost nothing and catch most of what a dead writer leaves.
  for (const [name, expected] of Object.entries(manifest.files)) {
    const found = await sha256File(join(folder, name));
    if (found !== expected.sha256) return bad(`${name}: expected sha256 ${expected.sha256}, got ${found}`, manifest);
  }
  return { ok: true, manifest, manifest_sha256: digest };
}

/**
 * Moves `folder` (or a file) out of the way into `quarantine` and writes the reason beside it. With `replaced` (files only) it
 * keeps its name too, for the caller to rename something over it: no reader then finds nothing there, nor does a successor.
 * Returns where it lies now, or null where it was gone already (a racing taker was first).
 */
export async function quarantine(
  folder: string,
  reason: string,
  quarantine: string,
  { replaced = false }: { replaced?: boolean } = {},
): Promise<string | null> {
  await mkdir(quarantine, { recursive: true });
  // The random part: one name can be broken, made again by a later epoch, and broken again.
  const target = join(quarantine, `${basename(folder)}-${randomUUID().slice(0, 8)}`);
  try {
    await (replaced ? linkOrCopy(folder, target) : rename(folder, target));
  } catch (error) {
    return orNull(error);
  }
  await writeAtomic(`${target}.reason.json`, { from: folder, reason, at: new Date().toISOString() });
  await fsyncFolder(quarantine);
  return target;
}
