import { ProgressLine } from '../contracts/stage.ts';
import { plainText } from '../plain-text.ts';

/** Shows a child's progress lines on standard error: in place on a terminal, one every few seconds elsewhere. */
export function progressPrinter(out: NodeJS.WriteStream = process.stderr): {
  onLine: (line: string) => void;
  end: () => void;
} {
  let at = 0;
  let drawn = false;
  const onLine = (line: string) => {
    const text = progressText(line);
    if (text === null) return;
    if (out.isTTY) {
      out.write(`\r\u001b[2K${text}`);
      drawn = true;
    } else if (Date.now() - at > 5000) {
      at = Date.now();
      out.write(`${text}\n`);
    }
  };
  return { onLine, end: () => drawn && out.write('\r\u001b[2K') };
}

/** `grade 18/72`; null for a line that is no progress. */
export function progressText(line: string): string | null {
  try {
    const parsed = ProgressLine.parse(JSON.parse(line));
    if (parsed.event === 'waiting') return `waiting for the ${parsed.for} (${parsed.seconds.toFixed(0)} s)`;
    return parsed.event === 'progress' ? `${plainText(parsed.phase)} ${parsed.step}/${parsed.total}` : null;
  } catch {
    return null;
  }
}
