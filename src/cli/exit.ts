/** How the command `gavel` ends. */
export const EXIT = { ok: 0, failed: 1, usage: 2, audit_fail: 3, audit_inconclusive: 4, interrupted: 130 } as const;

/** Exit codes as `--help` states them. */
export const exitHelp = `
Exit codes:
  0    done
  1    failed
  2    wrong usage, or a spec that cannot be used
  3    the audit's verdict is FAIL, or \`gavel serve\` found no audit of the grader's weights
  4    the audit's verdict is INCONCLUSIVE
  130  ended by Ctrl-C`;

/** An error that a person can act on: one message, perhaps the command that helps, and an exit code. */
export class CliError extends Error {
  override name = 'CliError';
  readonly hint: string | null;
  readonly code: number;

  constructor(message: string, { hint = null, code = EXIT.failed }: { hint?: string | null; code?: number } = {}) {
    super(message);
    this.hint = hint;
    this.code = code;
  }
}

/** Exit code that says what an audit found. */
export function exitOfVerdict(verdict: 'PASS' | 'FAIL' | 'INCONCLUSIVE' | null): number {
  if (verdict === 'FAIL') return EXIT.audit_fail;
  return verdict === 'INCONCLUSIVE' ? EXIT.audit_inconclusive : EXIT.ok;
}
