// Progress of the set-up: a bar a phase on a terminal, a line every few seconds elsewhere.
const out = process.stderr;
const interactive = out.isTTY === true && process.env.TERM !== 'dumb';
const colored = interactive && !process.env.NO_COLOR;
const paint = (code, text) => (colored ? `\u001b[${code}m${text}\u001b[0m` : text);
const WIDTH = 28;

/** One line of the form `label  ████░░░░  12/40  detail`. */
export function barLine(label, done, total, detail) {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const filled = Math.round(share * WIDTH);
  const bar = paint(36, '█'.repeat(filled)) + paint(90, '░'.repeat(WIDTH - filled));
  const count = total > 0 ? `${Math.min(done, total)}/${total}` : '';
  return `  ${label.padEnd(16)} ${bar} ${count.padStart(9)}  ${detail}`;
}

/** Opens a phase; the caller updates it and ends it with `done` or `fail`. */
export function phase(label) {
  const began = Date.now();
  const state = { done: 0, total: 0, detail: '' };
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  let printed = Date.now();
  const draw = () => {
    if (interactive) {
      const room = (out.columns ?? 80) - 62;
      const detail = [seconds(), state.detail].filter(Boolean).join('  ').slice(0, Math.max(room, 8));
      out.write(`\r\u001b[2K${barLine(label, state.done, state.total, detail)}`);
    } else if (Date.now() - printed > 10_000) {
      printed = Date.now();
      const count = state.total > 0 ? ` ${Math.min(state.done, state.total)}/${state.total}` : '';
      out.write(`  ${label}:${count} ${state.detail} (${seconds()})\n`);
    }
  };
  if (interactive) draw();
  else out.write(`  ${label} ...\n`);
  const timer = setInterval(draw, 200);
  timer.unref();
  const end = (mark, text) => {
    clearInterval(timer);
    out.write(`${interactive ? '\r\u001b[2K' : ''}  ${mark} ${label.padEnd(14)} ${text} (${seconds()})\n`);
  };
  return {
    update: (change) => Object.assign(state, change),
    done: (text) => end(paint(32, interactive ? '✔' : 'ok'), text),
    fail: () => end(paint(31, interactive ? '✖' : 'failed'), 'failed'),
  };
}

/** A line of its own. */
export const say = (text) => out.write(`${text}\n`);
