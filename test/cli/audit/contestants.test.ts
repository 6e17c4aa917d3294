import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { contestantsOf } from '../../../src/cli/audit/contestants.ts';
import { gatewayConfig } from '../../../src/cli/audit/gateway-config.ts';
import { GatewayConfig } from '../../../src/contracts/gateway.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

afterEach(() => vi.unstubAllEnvs());

const folder = temporaryFolder('contestants');

function write(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const URL_1 = 'https://grader.example.com/v1';
const URL_2 = 'https://judge.example.com/v1';
const verdicts = write('verdicts.jsonl', '');

describe('a value of --grader', () => {
  test('that is a URL is an endpoint, asked for one token unless --mode says otherwise', () => {
    const { asked, brought, headline_mode } = contestantsOf({ grader: { value: URL_1, model: 'g' } });
    expect(brought).toEqual([]);
    expect(headline_mode).toBe('single_token');
    expect(asked).toMatchObject([{ role: 'grader', modes: ['single_token'], endpoint: { url: URL_1, model: 'g' } }]);
    const both = contestantsOf({ grader: { value: URL_1, model: 'g', modes: ['reasoned', 'single_token'] } });
    expect(both).toMatchObject({ headline_mode: 'reasoned', asked: [{ modes: ['reasoned', 'single_token'] }] });
  });

  test('that ends in .jsonl is a file of verdicts, and nobody is asked', () => {
    expect(contestantsOf({ grader: { value: verdicts } })).toEqual({
      asked: [],
      brought: [{ role: 'grader', mode: 'file', file: verdicts }],
      headline_mode: 'file',
    });
  });

  test('that ends in .yaml says who is asked, and how; its folders are beside it', () => {
    mkdirSync(join(folder, 'tokenizer'), { recursive: true });
    write('tokenizer/tokenizer.json', '{}');
    const path = write(
      'grader.yaml',
      `url: ${URL_1}\nmodel: g\nengine: vllm\nmodes: [reasoned]\ngpus: 2\ntokenizers: [tokenizer]\n` +
        'chat_template_kwargs: {enable_thinking: false}\nsampling: {max_tokens: 64}\n',
    );
    const { asked, headline_mode } = contestantsOf({ grader: { value: path } });
    expect(headline_mode).toBe('reasoned');
    expect(asked[0]?.endpoint).toMatchObject({
      ...{ engine: 'vllm', gpus: 2, tokenizers: [join(folder, 'tokenizer')], outage_limit_s: 600 },
      ...{ sampling: { temperature: 0, max_tokens: 64 }, chat_template_kwargs: { enable_thinking: false } },
    });
  });

  test('that ends in .yaml can name a file of verdicts, beside it, and its mode', () => {
    const path = write('brought.yaml', 'verdicts: verdicts.jsonl\nmode: reasoned\n');
    expect(contestantsOf({ grader: { value: path } })).toMatchObject({
      brought: [{ role: 'grader', mode: 'reasoned', file: verdicts }],
      headline_mode: 'reasoned',
    });
  });

  test('that is none of the three is refused with what was expected', () => {
    expect(() => contestantsOf({ grader: { value: 'grader.example.com' } })).toThrow(
      '--grader: expected a URL (http:// or https://), a contestant file (.yaml, .yml, .json) or a file of verdicts (.jsonl); found no file grader.example.com.',
    );
    expect(() => contestantsOf({})).toThrow('--grader: missing');
    expect(() => contestantsOf({ grader: { value: URL_1 } })).toThrow('--grader-model: missing');
  });

  test('that is a file of verdicts takes no flag of an endpoint', () => {
    expect(() => contestantsOf({ grader: { value: verdicts, model: 'g' } })).toThrow(/^--grader-model: expected only/);
    const judge = { value: verdicts, modes: ['reasoned' as const] };
    expect(() => contestantsOf({ grader: { value: verdicts }, judge })).toThrow(/^--judge-mode: expected only/);
  });
});

describe('the other contestants', () => {
  test('are the judge, which reasons, and the base, in the headline mode', () => {
    const grader = { value: URL_1, model: 'g' };
    const { asked } = contestantsOf({
      ...{ grader, judge: { value: URL_2, model: 'j' }, base: { value: URL_1, model: 'b' } },
    });
    expect(asked.map(({ role, modes }) => [role, modes])).toEqual([
      ['grader', ['single_token']],
      ['judge', ['reasoned']],
      ['base', ['single_token']],
    ]);
  });

  test('are one judge, in one mode', () => {
    const path = write('judge.yaml', `url: ${URL_2}\nmodel: j\nmodes: [reasoned, single_token]\n`);
    expect(() => contestantsOf({ grader: { value: verdicts }, judge: { value: path } })).toThrow(
      '--judge: expected one mode, found reasoned, single_token',
    );
  });

  test('bring files of verdicts under names of their own', () => {
    const { brought } = contestantsOf({ grader: { value: verdicts } }, [`annotator_1=${verdicts}`]);
    expect(brought[1]).toEqual({ role: 'annotator_1', mode: 'file', file: verdicts });
  });

  test.each(['judge', 'always_pass', 'Ann', ''])('cannot be called %j', (name) => {
    expect(() => contestantsOf({ grader: { value: verdicts } }, [`${name}=${verdicts}`])).toThrow(
      '--contestant: expected NAME=FILE',
    );
  });

  test('cannot be asked, and cannot bring two files for one mode', () => {
    const path = write('other.yaml', `url: ${URL_1}\nmodel: g\n`);
    const grader = { value: verdicts };
    expect(() => contestantsOf({ grader }, [`ann=${path}`])).toThrow('only grader, judge and base can be asked');
    expect(() => contestantsOf({ grader }, [`ann=${verdicts}`, `ann=${verdicts}`])).toThrow(
      'Expected one file of verdicts for ann in mode file, got two.',
    );
  });
});

describe('a key', () => {
  test('goes to the host of its own endpoint and to no other', () => {
    vi.stubEnv('GRADER_KEY', 'g-key');
    vi.stubEnv('JUDGE_KEY', 'j-key');
    const { asked } = contestantsOf({
      grader: { value: URL_1, model: 'g', key_env: 'GRADER_KEY' },
      judge: { value: URL_2, model: 'j', key_env: 'JUDGE_KEY' },
    });
    const { roles } = GatewayConfig.parse(gatewayConfig({ run: 'a', run_dir: '/a', epoch: 1 }, asked, 8));
    expect(roles.grader).toMatchObject({ api_key_env: 'GRADER_KEY', api_key_hosts: ['https://grader.example.com'] });
    expect(roles.judge).toMatchObject({ api_key_env: 'JUDGE_KEY', api_key_hosts: ['https://judge.example.com'] });
  });

  test('is named by its variable, which holds one', () => {
    const grader = { value: URL_1, model: 'g' };
    expect(() => contestantsOf({ grader: { ...grader, key_env: 'sk-123' } })).toThrow('never the key itself');
    expect(() => contestantsOf({ grader: { ...grader, key_env: 'NO_SUCH_KEY' } })).toThrow(
      'Expected the key of the grader in the variable NO_SUCH_KEY, found none.',
    );
  });

  test('that a contestant file names needs the leave of the person who audits', () => {
    vi.stubEnv('GRADER_KEY', 'g-key');
    const path = write('keyed.yaml', `url: ${URL_1}\nmodel: g\nkey_env: GRADER_KEY\n`);
    const ask = (key_env?: string, bound = {}) => contestantsOf({ grader: { value: path, key_env } }, [], bound);
    expect(() => ask()).toThrow('add --grader-key-env GRADER_KEY, or set GAVEL_KEYS="GRADER_KEY=grader.example.com"');
    expect(() => ask(undefined, { GRADER_KEY: ['other.example.com'] })).toThrow('expected leave');
    expect(ask('GRADER_KEY').asked[0]?.endpoint.key_env).toBe('GRADER_KEY');
    expect(ask(undefined, { GRADER_KEY: ['grader.example.com'] }).asked).toHaveLength(1);
  });
});

test("each endpoint gets its own chat template's arguments and concurrency, and the tokenizers of both guard the rows", () => {
  for (const name of ['t1', 't2']) {
    mkdirSync(join(folder, name), { recursive: true });
    write(`${name}/tokenizer.json`, '{}');
  }
  const file = (name: string, more: string) => write(name, `url: ${URL_1}\nmodel: ${name}\n${more}`);
  const { asked } = contestantsOf({
    grader: { value: file('g.yaml', 'tokenizers: [t1]\nchat_template_kwargs: {enable_thinking: false}\n') },
    judge: { value: file('j.yml', 'tokenizers: [t2]\nconcurrency: 4\nextra_body: {service_tier: flex}\n') },
  });
  const { roles, tokenizers } = GatewayConfig.parse(gatewayConfig({ run: 'a', run_dir: '/a', epoch: 1 }, asked, 8));
  expect(roles.grader).toMatchObject({ chat_template_kwargs: { enable_thinking: false }, concurrency: 8 });
  expect(roles.judge).toMatchObject({ extra_body: { service_tier: 'flex' }, concurrency: 4 });
  expect(tokenizers).toEqual([join(folder, 't1'), join(folder, 't2')]);
});

describe('a contestant file', () => {
  const problems = (content: string) => {
    try {
      contestantsOf({ grader: { value: write('bad.yaml', content) } });
    } catch (error) {
      return (error as Error).message.split('\n').slice(1);
    }
    throw new Error('expected an error');
  };

  test('names every wrong field with its line', () => {
    expect(problems(`url: grader.example.com\nmodel: g\nmodles: [reasoned]\nmodes: [reasonde]\ngpus: 0\n`)).toEqual([
      '  url: expected a valid url; found "grader.example.com" (line 1)',
      '  modes.0: expected one of reasoned, single_token, choice, pairwise; found "reasonde". Did you mean "reasoned"? (line 4)',
      '  gpus: expected at least 1; found 0 (line 5)',
      '  modles: unknown field. Did you mean "modes"? (line 3)',
    ]);
  });

  test('keeps the rules that a spec keeps', () => {
    const start = `url: ${URL_1}\nmodel: g\n`;
    expect(problems(`${start}extra_body: {temperature: 1}\npanel: {votes: 3}\n`)).toEqual([
      '  extra_body: expected fields that gavel does not set itself; found temperature (line 3)',
      '  panel.votes: expected 1: at sampling.temperature 0 all votes are the same (line 4)',
    ]);
  });

  test('is asked somewhere or brings verdicts, and not both', () => {
    expect(problems(`verdicts: verdicts.jsonl\nurl: ${URL_1}\n`)).toEqual([
      expect.stringContaining('url: unknown field'),
    ]);
    expect(() => contestantsOf({ grader: { value: write('lost.yaml', 'verdicts: lost.jsonl\n') } })).toThrow(
      'verdicts: expected a file of verdicts, found none at',
    );
  });
});
