import { createInterface } from 'node:readline';
import { CliError, EXIT } from '../exit.ts';

export interface Terminal {
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
}

/**
 * Has a person say yes to more calls than `above`; `yes` said so before. Throws CliError (usage), with nothing spent, where they
 * do not, or where no person is at the terminal.
 */
export async function confirm(
  calls: number,
  { above, yes, terminal }: { above: number; yes: boolean; terminal: Terminal },
): Promise<void> {
  if (yes || calls <= above) return;
  const what = `${calls.toLocaleString('en-US')} calls (asks above ${above.toLocaleString('en-US')}, --confirm-above)`;
  const { input, output } = terminal;
  if (!input.isTTY || !output.isTTY) {
    throw new CliError(`Expected a yes to ${what}, and no person is at a terminal. Nothing was asked or paid.`, {
      hint: 'Add --yes to go on without a question, or --max-rows to ask less.',
      code: EXIT.usage,
    });
  }
  if (await saysYes(`Go on with ${what}? [y/N] `, terminal)) return;
  throw new CliError('Nothing was asked or paid.', { code: EXIT.usage });
}

function saysYes(question: string, terminal: Terminal): Promise<boolean> {
  const lines = createInterface(terminal);
  return new Promise((resolve) => {
    // Ctrl-C and Ctrl-D close it without an answer.
    lines.on('close', () => {
      terminal.output.write('\n');
      resolve(false);
    });
    lines.question(question, (answer) => {
      lines.removeAllListeners('close');
      lines.close();
      resolve(/^y(?:es)?$/i.test(answer.trim()));
    });
  });
}
