import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Data, Effect } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { SessionInvalid } from "../../domain/Session.js"
import type { Applied } from "../../sessions/SessionRepo.js"
import type { ImportOptions, ImportWatcher, WrongEntry } from "../../transfer/SessionImport.js"
import type { PlacedStep } from "../../transfer/SessionLines.js"
import { randomHex } from "../../wire/RandomHex.js"
import type { ChangeNote } from "../access/ChangeNotes.js"
import { ApiProblem, invalidRequest, storeUnavailable } from "../api/ApiProblem.js"
import type { ImportView } from "../api/TransferGroup.js"
import { BodyLost } from "./BodyReader.js"

/** Entries that are named in the answer; the others are counted. */
const namedAtMost = 100

/** An entry is wrong, and the import stops there. */
class WrongLine extends Data.TaggedError("WrongLine")<{ readonly entry: WrongEntry }> {}

type StopCause = WrongLine | BodyLost | SessionInvalid | StoreUnavailable

/** What an import has come to so far. */
export class ImportCounts implements ImportWatcher<WrongLine> {
  private added = 0
  private replaced = 0
  private removed = 0
  private failed = 0
  private readonly problems: Array<(typeof ImportView.Type)["problems"][number]> = []

  /** `note`: told what is in force, as often as that changes. */
  constructor(
    private readonly options: ImportOptions,
    private readonly note: (note: ChangeNote) => void,
  ) {}

  get view(): typeof ImportView.Type {
    const { added, failed, problems, removed, replaced } = this
    return { added, replaced, removed, failed, problems }
  }

  read(): void {}

  readonly applied = (_batch: ReadonlyArray<PlacedStep>, { added, removed, replaced }: Applied): void => {
    this.added += added
    this.replaced += replaced
    this.removed += removed
    if (!this.options.dryRun) this.note({ added: this.added, replaced: this.replaced, removed: this.removed })
  }

  readonly wrong = (entry: WrongEntry): Effect.Effect<void, WrongLine> => {
    const { id = null, line, problem } = entry
    this.failed++
    if (this.problems.length < namedAtMost) this.problems.push({ line, id, problem })
    return this.options.onError === "stop" ? new WrongLine({ entry }) : Effect.void
  }

  /** The answer to an import that has not come to its end. What is in force by then stays. */
  stopped(cause: StopCause): HttpServerResponse.HttpServerResponse {
    const problem = problemOf(cause)
    const body = { ...problem.bodyFor(randomHex(16)), ...this.view }
    return HttpServerResponse.text(`${JSON.stringify(body)}\n`, {
      status: problem.status,
      contentType: "application/problem+json",
      // The rest of the body is not read.
      headers: { connection: "close" },
    })
  }
}

const problemOf = (cause: StopCause): ApiProblem => {
  if (cause instanceof BodyLost) return invalidRequest("The body did not come whole.")
  switch (cause._tag) {
    case "WrongLine": {
      const { line, problem } = cause.entry
      const detail = `The import stopped at line ${line}: ${problem}.`
      return new ApiProblem({ status: 400, code: "import_stopped", detail })
    }
    case "SessionInvalid":
      return invalidRequest(`A session cannot be stored: ${cause.problem}.`)
    case "StoreUnavailable":
      return storeUnavailable(cause.problem)
  }
}
