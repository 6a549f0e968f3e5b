import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option, Schema, Stream } from "effect"
import { onOrOff } from "../../domain/Reading.js"
import { prettyText } from "../../log/PrettyLine.js"
import { printableJson } from "../../wire/PrintableText.js"
import type { ServerEvent } from "../../wire/EventReader.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import { endWellBySignal } from "../EndBySignal.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printPiece } from "../Output.js"
import { styleOf } from "../Style.js"
import { admin, adminOption } from "./Proxies.js"

const failed: Flag.Flag<boolean> = {
  name: "failed",
  reading: onOrOff,
  about: "Only requests that got an error of the proxy, or whose answer broke off.",
}

export const tailDoc: CommandDoc = {
  path: ["tail"],
  summary: "Show requests and WebSockets as they end.",
  about:
    "Shows requests and WebSockets as they end, one on a line, with what the access log has, for all proxies on the " +
    "database. It runs until Ctrl-C, also when a proxy is restarted, and says how many lines it has missed.",
  args: [{ name: "ID", about: "Only those of this session.", optional: true }],
  groups: [
    { title: "Options", flags: [failed, Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy tail my-session", "what ends of one session"],
    ["ss-proxy tail --failed --json | jq .cause", "the causes of what fails"],
  ],
}

const Text = Schema.optional(Schema.String)
const Amount = Schema.optional(Schema.Number)

/** What is shown of a record, of what the access log has of it. */
const ShownRecord = Schema.parseJson(
  Schema.Struct({
    time: Schema.String,
    kind: Schema.String,
    status: Schema.Number,
    duration_ms: Schema.Number,
    end: Schema.String,
    client: Schema.String,
    request_id: Schema.String,
    bytes_in: Schema.Number,
    bytes_out: Schema.Number,
    method: Text,
    target: Text,
    first_byte_ms: Amount,
    hold_ms: Amount,
    server: Text,
    reused: Schema.optional(Schema.Boolean),
    retries: Amount,
    cause: Text,
    reason: Text,
    code: Amount,
    close_reason: Text,
    closed_by: Text,
    messages_in: Amount,
    messages_out: Amount,
  }),
)

const readRecord = Schema.decodeUnknownOption(ShownRecord)
const readCount = Schema.decodeUnknownOption(Schema.parseJson(Schema.Struct({ count: Schema.Number })))

/** Prints what one event says. Those that a newer proxy may have beside them say nothing here. */
const print = ({ data, event }: ServerEvent, json: boolean): Effect.Effect<void> => {
  if (event === "dropped") {
    const count = Option.match(readCount(data), { onNone: () => "some", onSome: ({ count }) => String(count) })
    return printDiagnostic(`note: missed ${count}: they came faster than they were read`)
  }
  if (event !== "record") return Effect.void
  if (json) return printPiece(`${printableJson(data)}\n`)
  const { stdout } = process
  const look = { paint: styleOf(stdout), brief: stdout.isTTY }
  return Option.match(readRecord(data), {
    onNone: () => printPiece(`${printableJson(data)}\n`),
    onSome: (shown) => printPiece(`${prettyText(shown, look)}\n`),
  })
}

/** The call, with what it asks for. */
const pathOf = (id: Option.Option<string>, onlyFailed: boolean): string => {
  const query = new URLSearchParams()
  if (Option.isSome(id)) query.set("session", id.value)
  if (onlyFailed) query.set("only", "failed")
  return `/v1/tail?${query.toString()}`
}

export const tail = Command.make(
  "tail",
  {
    id: Args.optional(Args.text({ name: "ID" })),
    failed: Flag.isOn(failed),
    json: Flag.isOn(Flag.json),
    admin: adminOption,
    database: databaseOptions,
  },
  ({ id, json, failed, ...choice }) =>
    Effect.gen(function* () {
      const database = yield* resolveDatabase(choice.database)
      const { followProxies } = yield* Effect.promise(() => import("./FollowedProxies.js"))
      yield* endWellBySignal
      const events = followProxies(choice.admin, database, pathOf(id, failed))
      yield* Stream.runForEach(events, (event) => print(event, json))
    }),
).pipe(Command.withDescription(tailDoc.summary))
