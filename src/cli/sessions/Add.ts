import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Either, Option } from "effect"
import { AddressGuard } from "../../downstream/AddressGuard.js"
import { type NewSession, SessionRepo } from "../../sessions/SessionRepo.js"
import { idProblem } from "../../sessions/SessionRules.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, makingDatabase } from "../Database.js"
import { addressFlags, addressOptions } from "../DownstreamChoice.js"
import { CommandFailed, UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { sessionHostsFlags, sessionHostsOption } from "../SessionNames.js"
import { idNote, isSwapped } from "./AddNotes.js"
import { policyFlags, policyOptions } from "./PolicyChoice.js"
import { refuse, urlHint, warnOfInsecure, warnOfName, warnOfStatus } from "./SessionCheck.js"
import { urlProblem } from "../../transfer/UrlProblem.js"
import { describe, renderJson, viewOf } from "./SessionView.js"
import { refuseTwin } from "./Twin.js"

const status: Flag.Flag<string> = { ...Flag.status, fallback: "active" }

export const addDoc: CommandDoc = {
  path: ["sessions", "add"],
  summary: "Add a session: requests for /ID/… go to URL.",
  about:
    "Adds a session. From then on requests for /ID/PATH go to URL/PATH, and WebSockets for /ws/ID too. A running " +
    "proxy takes it up at once.",
  args: [
    { name: "ID", about: "First segment of the path, not percent-encoded. Not empty, not health, not ws." },
    { name: "URL", about: "http, https, ws or wss; without a scheme it is http. It may have a path, but no query." },
  ],
  groups: [
    { title: "Options", flags: [status, ...policyFlags, ...sessionHostsFlags, Flag.replace, Flag.json] },
    { title: "Addresses", flags: addressFlags },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy sessions add my-session http://localhost:9000", "http://PROXY/my-session/… goes to port 9000"],
    ["ss-proxy sessions add my-session 10.0.0.7:9000/base --replace", "the same id, on another machine from now on"],
  ],
}

/** Stores the session; and whether it took the place of another. */
const store = (session: NewSession, replace: boolean) =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    yield* refuseTwin(session.id)
    if (!replace) return { added: yield* repo.add(session), replaced: false }
    let replaced = false
    const added = yield* repo.put(session, (stored) => {
      replaced = stored !== undefined
      return Either.void
    })
    return { added, replaced }
  })

export const add = Command.make(
  "add",
  {
    id: Args.text({ name: "ID" }),
    url: Args.text({ name: "URL" }),
    status: Flag.words(status),
    policy: policyOptions,
    replace: Flag.isOn(Flag.replace),
    json: Flag.isOn(Flag.json),
    hosts: sessionHostsOption,
    addresses: addressOptions,
    database: databaseOptions,
  },
  ({ id, url, policy, replace, json, hosts, addresses, database, ...flags }) =>
    Effect.gen(function* () {
      const session = { id, url, status: Option.getOrElse(flags.status, () => "active"), policy }
      if (isSwapped(id))
        return yield* new UsageError({
          message: "sessions add takes the id before the URL",
          hint: "see ss-proxy sessions add --help",
        })
      yield* refuse(idProblem(id), "choose another id")
      yield* refuse(urlProblem(url, new AddressGuard(addresses)), urlHint)
      const { added, replaced } = yield* makingDatabase(database, () => store(session, replace))
      const note = idNote(id, url)
      if (note !== undefined) yield* printDiagnostic(printable(note))
      yield* warnOfStatus(id, added.status)
      yield* warnOfName(id, hosts)
      yield* warnOfInsecure([added])
      yield* printResult(json ? renderJson(viewOf(added)) : `${replaced ? "replaced" : "added"} ${describe(added)}`)
    }).pipe(
      Effect.catchTag(
        "SessionExists",
        () =>
          new CommandFailed({
            code: "session_exists",
            problem: `the session ${JSON.stringify(id)} exists already`,
            hint: `change it with "ss-proxy sessions set ${id} --url URL", or add it with --replace`,
          }),
      ),
    ),
).pipe(Command.withDescription(addDoc.summary))
