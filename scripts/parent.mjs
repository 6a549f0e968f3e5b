// A SIGTERM for npm ends npm and the shell that it runs a script in, and reaches nobody else.

/** Calls `gone` once whoever started this process is no more. Keeps nothing alive. */
export const whenParentIsGone = (gone) => {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    gone()
  }, 500)
  watch.unref()
}
