import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lastError } from '../../src/process/last-error.ts';
import { redact } from '../../src/redact.ts';

async function errorOf(log: string, secrets: string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'gavel-log-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'log'), log);
  return lastError(join(folder, 'log'), secrets);
}

test("quotes a Python traceback's last line", async () => {
  const log =
    'step 3\nTraceback (most recent call last):\n  File "grpo.py", line 3, in main\n    x()\nKeyError: \'prompt\'\nbye\n';
  expect(await errorOf(log)).toBe("KeyError: 'prompt'");
});

test("quotes the cause in vLLM's engine and not the server's pointer to it", async () => {
  const log = [
    '(EngineCore pid=12) ERROR 11-22 06:45:57 [core.py:1150] Traceback (most recent call last):',
    '(EngineCore pid=12) ERROR 11-22 06:45:57 [core.py:1150]   File "core.py", line 8, in run',
    '(EngineCore pid=12) ERROR 11-22 06:45:57 [core.py:1150] ValueError: No available memory for the cache blocks.',
    '(APIServer pid=11) Traceback (most recent call last):',
    '(APIServer pid=11) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}',
  ].join('\n');
  expect(await errorOf(log)).toBe('ValueError: No available memory for the cache blocks.');
});

test('quotes the lines after an exception that says nothing on its own', async () => {
  const log = [
    'pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig',
    '  Value error, No supported architecture in config.json',
    '    For further information visit https://errors.pydantic.dev',
  ].join('\n');
  expect(await errorOf(log)).toMatch(/^pydantic.* ModelConfig Value error, No supported architecture/);
});

test('quotes the error behind a launcher and behind being ended', async () => {
  const log = [
    '[rank0]: torch.OutOfMemoryError: CUDA out of memory.',
    'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB',
    'torch.distributed.elastic.multiprocessing.errors.ChildFailedError:',
    'grpo FAILED',
    'KeyboardInterrupt',
  ].join('\n');
  expect(await errorOf(log)).toBe('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB');
});

test('quotes a command that does not know its flag, else the last line, else nothing', async () => {
  expect(await errorOf('usage: x\napi_server.py: error: unrecognized arguments: --no\n')).toContain('unrecognized');
  expect(await errorOf('one\n\u001b[31mtwo\u001b[0m\n\n')).toBe('two');
  expect(await errorOf('')).toBeNull();
  expect(await lastError('/no/such/log')).toBeNull();
});

test('is short and holds no secret', async () => {
  const line = await errorOf(`ValueError: my-own-password refused, ${'x'.repeat(1000)}`, ['my-own-password']);
  expect(line).toHaveLength(300);
  expect(line).toContain('ValueError: [redacted] refused');
});

test.each([
  ['Authorization: Bearer abcdef123456', 'abcdef123456'],
  ["non-default args: {'api_key': ['hunter22hunter22']}", 'hunter22hunter22'],
  ['--api-key topsecretvalue --port 1', 'topsecretvalue'],
  ['key sk-proj-abcdefgh12345678 is wrong', 'abcdefgh12345678'],
  ['token hf_abcdefghijklmnop', 'abcdefghijklmnop'],
  ['https://user:pa55word@example.org/x', 'pa55word'],
  ['GET /v1?api_key=abcd1234&x=1', 'abcd1234'],
])('takes the secret out of %j', (text, secret) => {
  expect(redact(text)).not.toContain(secret);
  expect(redact(text)).toContain('[redacted]');
});

test.each(['max_tokens=64', 'tokens: 1200', 'score: 9', 'step-000060.e7', 'prompt_tokens: 4096'])(
  'leaves %j alone',
  (text) => {
    expect(redact(text)).toBe(text);
  },
);
