import { open } from 'node:fs/promises';
import { plainText } from '../plain-text.ts';
import { redact } from '../redact.ts';
import { withoutQuotes } from './without-quotes.ts';

/** Enough for the longest traceback; logs of a long run have gigabytes. */
const tailBytes = 128 * 1024;
const maxLength = 300;

/** What vLLM puts before each line: (EngineCore pid=12) ERROR 07-01 12:00:00 [core.py:100] */
const prefix = /^(\([^)]*pid=\d+\)\s*)?((ERROR|CRITICAL|FATAL|WARNING|INFO)\s+[\d-]+ [\d:.,]+ \[[^\]]*\]\s?)?/;
const exception = /^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Failure|Timeout|Warning)\b(?::|$)/;
const command = /^[\w./-]+: error: /;
const plain = /^(?:fatal|error|critical)\b[: ]/i;
/** Errors that only say that another one came before them, or that come of being ended. */
const echo =
  /See root cause above|EngineDeadError|ChildFailedError|^KeyboardInterrupt|^SystemExit|Warning\b|^asyncio\.exceptions\.CancelledError|^\S*BrokenPipeError/;

/**
 * The line of a log that best says why its process ended: the last error, less those that only point to an earlier one; else the
 * last line. Redacted, without what it quotes, at most 300 characters; null where the log is missing or empty.
 */
export async function lastError(
  logPath: string,
  secrets: readonly (string | undefined)[] = [],
): Promise<string | null> {
  const lines = plainText(await tail(logPath))
    .split('\n')
    .map((line) => line.trimEnd())
    .map((line) => line.replace(prefix, ''))
    .filter((line) => line.trim() !== '');
  const at = [exception, command, plain]
    .map((pattern) => lines.findLastIndex((line) => pattern.test(line) && !echo.test(line)))
    .find((index) => index >= 0);
  const line = at === undefined ? lines.at(-1) : whole(lines, at);
  return line === undefined ? null : shorten(redact(withoutQuotes(line.trim()), secrets));
}

/** pydantic and argparse put what matters on the lines after the exception's name. */
function whole(lines: string[], at: number) {
  const first = lines[at] ?? '';
  if (!/validation errors? for \S+$|:$/.test(first)) return first;
  return [first, ...lines.slice(at + 1, at + 3)].map((line) => line.trim()).join(' ');
}

// How torchrun names the first process that failed, where somebody's signal ended it.
const rootCause = /rank\s*:\s*(\d+) \(local_rank: \d+\)[\s\S]{0,40}?exitcode\s*:\s*-(?:1|2|9|15) [^\n]*\((SIG[A-Z]+)\)/;

/** Which rank was ended by which signal, and took its launcher and the other ranks with it; null where none was. */
export async function killedRank(logPath: string): Promise<string | null> {
  const text = plainText(await tail(logPath));
  const at = text.lastIndexOf('Root Cause (first observed failure)');
  const [, rank, signal] = (at < 0 ? null : rootCause.exec(text.slice(at))) ?? [];
  return rank === undefined ? null : `rank ${rank} was ended by ${signal}`;
}

const shorten = (line: string) => (line.length > maxLength ? `${line.slice(0, maxLength - 3)}...` : line);

async function tail(path: string) {
  const file = await open(path, 'r').catch(() => null);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, tailBytes);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    return buffer.toString('utf8');
  } finally {
    await file.close();
  }
}
