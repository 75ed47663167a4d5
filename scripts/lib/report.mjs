/** Ends a check: prints its problems, one a line, and fails if there is any. */
export function report(problems) {
  for (const problem of problems) process.stdout.write(`${problem}\n`)
  if (problems.length > 0) process.exitCode = 1
}
