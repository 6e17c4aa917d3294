// What a test runner's report says: how many tests passed, and which failed.
import { readFileSync } from 'node:fs';

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
};

const none = { passed: 0, failed: 0, skipped: 0, failures: [] };

/** Counts and failures of a JSON report of vitest; zeros where there is none. */
export function fromVitest(path) {
  const text = read(path);
  if (text === null) return none;
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests = 0, testResults } = JSON.parse(text);
  const failures = testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    if (failed.length === 0) return message ? [`${name}: ${message}`] : [];
    return failed.map(({ fullName, failureMessages }) => `${name}: ${fullName}: ${failureMessages.join(' ')}`);
  });
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests + numTodoTests, failures };
}

/** Counts of a JUnit report of pytest, and the failures that its short summary names; zeros where there is none. */
export function fromPytest(path, printed) {
  const suite = /<testsuite [^>]*>/.exec(read(path) ?? '')?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const failures = printed.match(/^(?:FAILED|ERROR) .*$/gm) ?? [];
  return { passed: count('tests') - failed - count('skipped'), failed, skipped: count('skipped'), failures };
}
