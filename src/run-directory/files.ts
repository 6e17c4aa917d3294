import { randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, type FileHandle, link, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { z } from 'zod';
import { isName, withoutQuotes } from '../process/without-quotes.ts';

/** A file whose content is not what its contract says. */
export class ContractError extends Error {
  override name = 'ContractError';
  readonly path: string;
  readonly field: string | null;
  constructor(path: string, field: string | null, message: string) {
    super(message);
    this.path = path;
    this.field = field;
  }
}

/** Makes the entries of `folder` durable: a rename is on disk only when its folder is. */
export async function fsyncFolder(folder: string) {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces `path` by `content`: readers see the old file or the new one, and after a power cut too.
 * Objects are written as indented JSON. Leaves nothing behind where it fails (a full disk, say).
 */
export async function writeAtomic(path: string, content: string | Uint8Array | object) {
  const bytes =
    typeof content === 'string' || content instanceof Uint8Array ? content : `${JSON.stringify(content, null, 2)}\n`;
  // In the same folder, because a rename across filesystems is a copy.
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, 'wx');
    await handle.writeFile(bytes);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
    await fsyncFolder(dirname(path));
  } catch (error) {
    await handle?.close().catch(() => {});
    await rm(temporary, { force: true }).catch(() => {});
    throw withPath(error, path);
  }
}

/**
 * As writeAtomic, but the first writer wins: returns false, and changes nothing, where `path` is there already.
 * On a filesystem without hard links a reader may see a part of it.
 */
export async function writeExclusive(path: string, content: object): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  await writeAtomic(temporary, content);
  try {
    await linkOrCopy(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw withPath(error, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await fsyncFolder(dirname(path));
  return true;
}

/** Gives the file `from` a second name, which must be free (EEXIST); a copy where the filesystem has no hard links. */
export async function linkOrCopy(from: string, to: string) {
  try {
    await link(from, to);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'].includes(code)) throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL);
  }
}

/** Node's errors about an open file do not name it. */
function withPath(error: unknown, path: string) {
  if (error instanceof Error && !error.message.includes(dirname(path))) error.message += ` (writing ${path})`;
  return error;
}

/** Appends `line` (an object becomes JSON) and a newline in one write. A torn last line of a writer that died is cut off. */
export async function appendLine(path: string, line: string | object) {
  const handle = await open(path, 'a+');
  try {
    const { size } = await handle.stat();
    if (size > 0) {
      const last = Buffer.alloc(1);
      await handle.read(last, 0, 1, size - 1);
      if (last[0] !== 0x0a) await handle.truncate(await completeBytes(path));
    }
    await handle.appendFile(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  } catch (error) {
    throw withPath(error, path);
  } finally {
    await handle.close();
  }
}

/** Bytes of the complete lines of `path`, i.e. up to and including its last newline; 0 where there is no file. */
export async function completeBytes(path: string) {
  const handle = await open(path, 'r').catch(orNull);
  if (!handle) return 0;
  try {
    // Backwards: a segment may hold gigabytes and a torn line is at its end.
    const chunk = Buffer.alloc(64 * 1024);
    let end = (await handle.stat()).size;
    while (end > 0) {
      const length = Math.min(chunk.length, end);
      const { bytesRead } = await handle.read(chunk, 0, length, end - length);
      const newline = chunk.subarray(0, bytesRead).lastIndexOf(0x0a);
      if (newline >= 0) return end - length + newline + 1;
      end -= length;
    }
    return 0;
  } finally {
    await handle.close();
  }
}

/** For `.catch`: null where the path is not there, the error otherwise. */
export function orNull(error: unknown): null {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return null;
  throw error;
}

/** Reads a JSON file by its contract. Throws ContractError with path, field, expected and found; ENOENT as it is. */
export async function readContract<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>> {
  return parseContract(await readFile(path, 'utf8'), schema, path);
}

/** As readContract; null where there is no file. */
export async function readContractIfAny<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S> | null> {
  const text = await readFile(path, 'utf8').catch(orNull);
  return text === null ? null : parseContract(text, schema, path);
}

/** Parses `text` by its contract; `where` (a path, or path:line) is what errors name. */
export function parseContract<S extends z.ZodType>(text: string, schema: S, where: string): z.output<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ContractError(
      where,
      null,
      `Expected ${where} to hold JSON, got: ${withoutQuotes((error as Error).message)}.`,
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.length ? issue.path.join('.') : null;
  const found = issue?.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], value);
  const more = parsed.error.issues.length > 1 ? ` (and ${parsed.error.issues.length - 1} more)` : '';
  throw new ContractError(
    where,
    field,
    `${where}: ${field ?? 'the file'}: ${issue?.message}; found ${shown(found)}${more}.`,
  );
}

/** A value for an error that may end in Temporal's history: a name or a number as it is, a text by its length. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string' || isName(value)) return JSON.stringify(value);
  return `a text of ${value.length} characters`;
}

/** The lines of JSON Lines text that meet their contract, and how many do not: for files whose damage must not hide the rest. */
export function readableLines<S extends z.ZodType>(text: string, schema: S): { lines: z.output<S>[]; unread: number } {
  const lines: z.output<S>[] = [];
  let unread = 0;
  for (const line of text.split('\n').filter((line) => line.trim() !== '')) {
    try {
      lines.push(schema.parse(JSON.parse(line)));
    } catch {
      unread += 1;
    }
  }
  return { lines, unread };
}

/**
 * The lines of a JSON Lines file by their contract, one at a time. A last line without a newline was never finished and is
 * left out, unless the file is `whole`: one that a person brings, whose editor may write no newline there, and the mark of UTF-8 before
 * the first line. What comes after `bytes` is left out too. Throws ContractError with path:line; a missing file has no lines.
 */
export async function* readJsonLines<S extends z.ZodType>(
  path: string,
  schema: S,
  { bytes, whole = false }: { bytes?: number; whole?: boolean } = {},
): AsyncGenerator<z.output<S>> {
  if (bytes === 0) return;
  const stream = createReadStream(path, bytes === undefined ? {} : { end: bytes - 1 });
  const unmarked = (line: string, number: number) => (whole && number === 1 ? line.replace(/^\uFEFF/, '') : line);
  let rest: Buffer[] = [];
  let number = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
        const line = Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
        rest = [];
        start = end + 1;
        number += 1;
        if (line.trim() !== '') yield parseContract(unmarked(line, number), schema, `${path}:${number}`);
      }
      if (start < chunk.length) rest.push(chunk.subarray(start));
    }
    const last = whole ? Buffer.concat(rest).toString('utf8') : '';
    if (last.trim() !== '') yield parseContract(unmarked(last, number + 1), schema, `${path}:${number + 1}`);
  } catch (error) {
    orNull(error);
  }
}
