import { describe, expect, test } from 'vitest'
import { closingLine, countTests, sumCounts } from './closing.mjs'

const report = (testResults, counts) => ({
  numPassedTests: 0,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  ...counts,
  testResults,
})

describe('countTests', () => {
  test('takes the counts of the report', () => {
    const counts = { numPassedTests: 5, numFailedTests: 1, numPendingTests: 2, numTodoTests: 1 }
    const files = [{ status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] }]
    expect(countTests(report(files, counts))).toEqual({ passed: 5, failed: 1, skipped: 3 })
  })

  test('counts a file that does not load as a failure', () => {
    const files = [
      { status: 'failed', assertionResults: [] },
      { status: 'passed', assertionResults: [{ status: 'passed' }] },
    ]
    expect(countTests(report(files, { numPassedTests: 1 }))).toEqual({ passed: 1, failed: 1, skipped: 0 })
  })
})

test('the closing line counts tests and checks together', () => {
  const checks = { passed: 6, failed: 1 }
  const tests = { passed: 100, failed: 0, skipped: 2 }
  expect(closingLine(sumCounts([checks, tests]))).toBe('106 passed, 1 failed, 2 skipped')
  expect(closingLine(sumCounts([{ passed: 3 }]))).toBe('3 passed, 0 failed')
  expect(closingLine(sumCounts([{ failed: 1 }]))).toBe('0 passed, 1 failed')
})
