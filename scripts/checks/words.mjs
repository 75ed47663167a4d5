// No file names the machine that it was written on, and none is left half done.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { report } from '../lib/report.mjs'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'
import { forbiddenWords } from '../lib/words.mjs'

const isText = (file) =>
  /(^|\/)[^./]+$|\.(ts|tsx|js|mjs|cjs|json|md|yaml|yml|html|css|sol|txt|npmrc|gitignore)$/.test(file)

const { output } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'])
report(
  output
    .split('\0')
    .filter((file) => file && isText(file) && existsSync(join(root, file)))
    .flatMap((file) => forbiddenWords(readFileSync(join(root, file), 'utf8')).map((problem) => `${file}:${problem}`)),
)
