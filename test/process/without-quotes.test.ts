import { expect, test } from 'vitest';
import { withoutQuotes } from '../../src/process/without-quotes.ts';

test.each([
  ["KeyError: 'Solve 3x+4=19'", "KeyError: '[cut]'"],
  [
    'ValueError: could not convert string to float: "the answer is 42"',
    'ValueError: could not convert string to float: "[cut]"',
  ],
  [
    "1 validation error for PromptRow prompt Input should be a valid string [type=string_type, input_value={'role': 'user'}, input_type=dict]",
    '1 validation error for PromptRow prompt Input should be a valid string [type=string_type, input_value=[cut]',
  ],
  [
    "{'type': 'missing', 'msg': 'Field required', 'input': 'Tom has 3 apples'}",
    "{'type': 'missing', 'msg': '[cut]', 'input': [cut]",
  ],
  ["KeyError: 'Tom has 3 apples and a long story that was sh...", "KeyError: '[cut]"],
])('cuts the text that an error quotes: %s', (line, cut) => {
  expect(withoutQuotes(line)).toBe(cut);
});

test.each([
  "FileNotFoundError: [Errno 2] No such file or directory: '/data/train.jsonl'",
  "KeyError: 'prompt'",
  "ModuleNotFoundError: No module named 'vllm.entrypoints'",
  "RuntimeError: can't allocate memory, and it won't be there later",
])('keeps names, paths and apostrophes: %s', (line) => {
  expect(withoutQuotes(line)).toBe(line);
});
