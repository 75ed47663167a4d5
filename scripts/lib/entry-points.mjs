/** The source files behind a package's `exports`; data files have none. */
export const entryPoints = (manifest) =>
  Object.values(manifest.exports ?? {})
    .map((target) => target.source)
    .filter(Boolean)
