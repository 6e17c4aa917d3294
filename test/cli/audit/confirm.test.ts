import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { confirm, type Terminal } from '../../../src/cli/audit/confirm.ts';

function terminal(isTTY: boolean) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  let said = '';
  output.on('data', (chunk) => (said += chunk));
  return { terminal: { input, output } as unknown as Terminal, input, said: () => said };
}

test('few calls, or many with --yes, need no question', async () => {
  const { terminal: none } = terminal(false);
  await expect(confirm(1000, { above: 1000, yes: false, terminal: none })).resolves.toBeUndefined();
  await expect(confirm(99_999, { above: 1000, yes: true, terminal: none })).resolves.toBeUndefined();
});

test('many calls are refused with exit code 2 where no person can be asked', async () => {
  const { terminal: none } = terminal(false);
  await expect(confirm(1001, { above: 1000, yes: false, terminal: none })).rejects.toMatchObject({
    message: expect.stringMatching(/1,001 calls .* Nothing was asked or paid\./),
    hint: expect.stringContaining('--yes'),
    code: 2,
  });
});

test.each([
  ['y\n', true],
  ['YES\n', true],
  ['\n', false],
  ['n\n', false],
  ['maybe\n', false],
])('a person who answers %j decides', async (answer, goesOn) => {
  const { terminal: here, input, said } = terminal(true);
  const asked = confirm(1001, { above: 1000, yes: false, terminal: here });
  input.write(answer);
  if (goesOn) await expect(asked).resolves.toBeUndefined();
  else await expect(asked).rejects.toMatchObject({ code: 2 });
  expect(said()).toContain('Go on with 1,001 calls');
});

test('a terminal that closes is no yes', async () => {
  const { terminal: here, input } = terminal(true);
  const asked = confirm(1001, { above: 1000, yes: false, terminal: here });
  input.end();
  await expect(asked).rejects.toMatchObject({ code: 2 });
});
