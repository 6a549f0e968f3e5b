// `npm run recording`: runs the commands of README.md beside a proxy, and draws what they printed, and when, into
// docs/img/recording.svg. Another file may be named.
import { writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { root, setUp } from "./setup.mjs"

setUp()
// Installed by now, if it was not.
const { importSources } = await import("./sources.mjs")
const { drawRecording, record } = await importSources(["test/docs/Recording.ts", "test/docs/RecordingPicture.ts"])
writeFileSync(resolve(process.argv[2] ?? join(root, "docs", "img", "recording.svg")), drawRecording(await record()))
