/** A phrase that says why a file cannot be read. */
export const fileFault = (cause: unknown): string => {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES") return "reading it is not permitted"
  if (code === "EISDIR") return "it is a folder"
  return typeof code === "string" ? code : "it cannot be read"
}
