/** A phrase that says why a file cannot be read or written. */
export const fileFault = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES" || code === "EPERM") return "that is not permitted"
  if (code === "EISDIR") return "it is a folder"
  if (code === "ENOSPC" || code === "EDQUOT") return "the disk is full"
  if (code === "EFBIG") return "it would be larger than a file may be"
  if (code === "EROFS") return "its file system is read-only"
  return typeof code === "string" ? code : "that is not possible"
}
