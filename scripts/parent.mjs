// A SIGTERM to npm ends npm and the shell of its script, but is not passed on to the script's program.

/** Calls `gone` once the parent process has ended. Does not keep this process alive. */
export const whenParentIsGone = (gone) => {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    gone()
  }, 500)
  watch.unref()
}
