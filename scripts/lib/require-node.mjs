// Imported first and for its effect: an old Node gets one clear line instead of a syntax error from somewhere deep.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`groat needs Node 20.19 or later; this is Node ${process.versions.node}.\n`)
  process.exit(1)
}
