import { expect, test } from 'vitest';
import { isHostOf, keyRefusal, parseKeyHosts } from '../src/key-hosts.ts';

test('binds each variable to its hosts, and nothing by an entry of another form', () => {
  expect(
    parseKeyHosts(
      'JUDGE_API_KEY=judge.example.com, OTHER=HTTP://Host2:8000,JUDGE_API_KEY=[::1]:9, lower=x, NO_HOST=,X=a/b,Y=ftp://a',
    ),
  ).toEqual({
    JUDGE_API_KEY: ['judge.example.com', '[::1]:9'],
    OTHER: ['http://host2:8000'],
  });
  expect(parseKeyHosts('')).toEqual({});
});

test.each<[boolean, string, string]>([
  [true, 'https://judge.example.com/v1', 'judge.example.com'],
  [false, 'https://judge.example.com:8000/v1', 'judge.example.com'],
  [true, 'https://judge.example.com:8000/v1', 'judge.example.com:8000'],
  [false, 'http://judge.example.com/v1', 'judge.example.com'],
  [false, 'http://judge.example.com:8000/v1', 'judge.example.com:8000'],
  [true, 'http://judge.example.com/v1', 'http://judge.example.com'],
  [true, 'http://judge.example.com:8000/v1', 'http://judge.example.com:8000'],
  [false, 'http://judge.example.com:8000/v1', 'http://judge.example.com'],
  [false, 'https://judge.example.com:8000/v1', 'http://judge.example.com:8000'],
  [true, 'https://judge.example.com/v1', 'judge.example.com:443'],
  [false, 'http://judge.example.com/v1', 'judge.example.com:443'],
  [false, 'http://judge.example.com.evil.org/v1', 'judge.example.com'],
  [false, 'http://judge.example.com@evil.org/v1', 'judge.example.com'],
  [false, 'http://evil.org/judge.example.com', 'judge.example.com'],
  [true, 'http://[::1]:8000/v1', '[::1]:8000'],
  [true, 'http://127.0.0.1:8000/v1', '127.0.0.1:8000'],
  [true, 'http://localhost/v1', 'localhost'],
  [false, 'http://localhost:8000/v1', 'localhost'],
  [false, 'http://127.0.0.1.example.com:8000/v1', '127.0.0.1.example.com:8000'],
])('says %s of %s where %s is bound', (is, url, host) => {
  expect(isHostOf(url, [host])).toBe(is);
});

test('says what to configure', () => {
  expect(keyRefusal('K', 'https://evil.org:1/v1', ['judge'])).toBe(
    'expected a host that this worker may send K to (judge); found evil.org:1. If it may, start the worker with GAVEL_KEYS="K=evil.org:1"',
  );
  expect(keyRefusal('K', 'http://judge:8000/v1', ['judge:8000'])).toBe(
    'expected a host that this worker may send K to (judge:8000); found http://judge:8000. If it may, start the worker with GAVEL_KEYS="K=http://judge:8000", which sends the key unencrypted',
  );
});
