import { readManifest, root } from './root.mjs'
import { run } from './run.mjs'

/** pnpm as `packageManager` pins it; npx fetches it once and keeps it. */
export const pinnedPnpm = () => /^pnpm@\d+\.\d+\.\d+/.exec(readManifest(root).packageManager)[0]

/** Runs the pinned pnpm. Its own errors are heard even under `npm --silent`; npx's remarks are not. */
export const pnpm = (args, { env = process.env, ...options } = {}) =>
  run('npx', ['--yes', pinnedPnpm(), ...args], { ...options, env: { ...env, npm_config_loglevel: 'error' } })
