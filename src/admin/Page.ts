import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import type { AdminAnswer } from "./AdminAnswer.js"
import { takesGzip } from "./Compression.js"
import { pageMissing } from "./Refusals.js"

/**
 * What the page may do: run and look like what this listener sends, and ask it. No text becomes markup, no other page holds it
 * in a frame, and its address goes to nobody.
 */
const pageFields = [
  [
    "Content-Security-Policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " +
      "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  ],
  ["Referrer-Policy", "no-referrer"],
  ["Cross-Origin-Opener-Policy", "same-origin"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
] as const

/** Types of what the build puts there. */
const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
}

/** A file of the page, as it is and compressed. */
interface PageFile {
  readonly type: string
  readonly plain: Buffer
  readonly gzipped: Buffer
}

/** The page, or one of its parts, for a path; `undefined` where it has no such part. */
export type Page = (path: string, acceptEncoding: string | undefined) => Effect.Effect<AdminAnswer> | undefined

/** Where the build puts it: beside the code of the program and of the library, or of a part of them. The last is for the sources. */
const places = ["./page/", "../page/", "../../dist/page/"]

const filesIn = async (folder: string): Promise<ReadonlyMap<string, PageFile>> => {
  const names = (await readdir(folder)).filter((name) => /\.(?:html|js|css)$/.test(name))
  const files = names.map(async (name) => {
    const path = join(folder, name)
    const [plain, gzipped] = await Promise.all([readFile(path), readFile(`${path}.gz`)])
    const type = types[name.replace(/^.*\./, "")] ?? "application/octet-stream"
    return [name === "index.html" ? "/" : `/${name}`, { type, plain, gzipped }] as const
  })
  return new Map(await Promise.all(files))
}

/** The files of the page by their paths; none where they were not installed. */
const load: Effect.Effect<ReadonlyMap<string, PageFile>> = Effect.promise(async () => {
  for (const place of places) {
    const files = await filesIn(fileURLToPath(new URL(place, import.meta.url))).catch(() => undefined)
    if (files?.has("/") === true) return files
  }
  return new Map()
})

const answerOf = ({ gzipped, plain, type }: PageFile, path: string, zips: boolean): AdminAnswer => ({
  status: 200,
  type,
  body: zips ? gzipped : plain,
  fields: [
    ...pageFields,
    ["Vary", "Accept-Encoding"],
    ...(zips ? [["Content-Encoding", "gzip"] as const] : []),
    // Their names change with what is in them.
    ...(path === "/" ? [] : [["Cache-Control", "public, max-age=31536000, immutable"] as const]),
  ],
})

/** The dashboard, read from disk when it is asked for first. It holds no data: it asks for them, with the token of its reader. */
export const makePage: Effect.Effect<Page> = Effect.map(Effect.cached(load), (files) => (path, acceptEncoding) => {
  if (path !== "/" && !/^\/[a-z]+-[A-Z0-9]{8}\.(?:js|css)$/.test(path)) return undefined
  return Effect.map(files, (known) => {
    const file = known.get(path)
    return file === undefined ? pageMissing() : answerOf(file, path, takesGzip(acceptEncoding))
  })
})
