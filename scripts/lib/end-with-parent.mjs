// Loaded into a program that another started (`--import`): it ends when that one is gone, in whatever way.
if (process.channel === undefined) {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, 'SIGTERM')
  }, 250)
  watch.unref()
} else {
  // Whoever stops by itself has the time to.
  process.once('disconnect', () => setTimeout(() => process.exit(1), 5_000).unref())
}
