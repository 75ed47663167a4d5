import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { root } from './root.mjs'

/**
 * Bundles named imports as a web page would, and says what that weighs: `{ bytes, problems }`, bytes gzipped.
 * A budget is `{ name, imports: { module: [names] }, max, forbid }`; `forbid` names packages of which no byte may be in it.
 */
export async function weigh({ name, imports, max, forbid = [] }, { resolveDir = join(root, 'bench') } = {}) {
  const lines = Object.entries(imports).map(([module, names]) => `export { ${names.join(', ')} } from '${module}'`)
  try {
    const { outputFiles, metafile } = await build({
      stdin: { contents: lines.join('\n'), resolveDir, loader: 'js' },
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      write: false,
      metafile: true,
      logLevel: 'silent',
    })
    const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length
    const over = bytes > max ? [`${name}: ${bytes} bytes, the budget is ${max}`] : []
    return { bytes, problems: [...over, ...forbiddenInputs(name, forbid, metafile)] }
  } catch (error) {
    const reasons = (error.errors ?? [{ text: error.message }]).map(({ text }) => `${name}: ${text}`)
    return { bytes: Number.NaN, problems: reasons }
  }
}

function forbiddenInputs(name, forbid, metafile) {
  const [output] = Object.values(metafile.outputs)
  const inside = Object.entries(output.inputs)
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => path)
  return forbid
    .map((forbidden) => [forbidden, inside.find((path) => path.includes(`node_modules/${forbidden}/`))])
    .filter(([, path]) => path !== undefined)
    .map(([forbidden, path]) => `${name}: ${forbidden} must not be in it, and there is ${path}`)
}
