// libsql's binaries do not say which C library they are for; without it pnpm installs both of them (10 MB each).
const readPackage = (manifest) => {
  const libc = /^@libsql\/linux-.*-(gnu|musl)/.exec(manifest.name)?.[1]
  return libc ? { ...manifest, libc: [libc === 'gnu' ? 'glibc' : 'musl'] } : manifest
}

module.exports = { hooks: { readPackage } }
