import { RequestBroken } from "../../src/domain/ProxyError.js"
import type { ChunkConsumer, Flow, Consumption } from "../../src/wire/ChunkSource.js"
import type { RequestProgress } from "../../src/downstream/RequestWriter.js"

type Result = IteratorResult<Uint8Array, undefined>

interface Waiting {
  readonly resolve: (result: Result) => void
  readonly reject: (error: RequestBroken) => void
}

const done: Result = { done: true, value: undefined }

/**
 * A request's body in motion as undici takes it: it asks for the next chunk when the server has taken the one before.
 * Where the body breaks off, so does the iteration, and undici closes the connection.
 */
export class UndiciUpload implements AsyncIterableIterator<Uint8Array, undefined>, ChunkConsumer<RequestBroken> {
  private waiting: Waiting | undefined
  private started = false
  private isComplete = false
  private broken: RequestBroken | undefined

  constructor(
    private readonly flow: Flow<RequestBroken>,
    private readonly progress: RequestProgress,
  ) {}

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    if (this.broken !== undefined) return Promise.reject(this.broken)
    if (this.isComplete) return this.sent()
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.progress.serverIsBusy(false)
      this.ask()
    })
  }

  /** undici wants no more. */
  return(): Promise<Result> {
    this.stop()
    return Promise.resolve(done)
  }

  /** Nobody wants the rest; what undici still asks for is refused, so that it cannot take the body for complete. */
  stop(): void {
    if (this.isComplete || this.broken !== undefined) return
    this.flow.cancel()
    this.break(new RequestBroken({ problem: "the rest of it is not wanted" }))
  }

  readonly chunk = (chunk: Uint8Array): Consumption => {
    this.progress.serverIsBusy(true)
    this.settle()?.resolve({ done: false, value: chunk })
    return "full"
  }

  readonly end = (): void => {
    this.isComplete = true
    const waiting = this.settle()
    if (waiting === undefined) return
    this.progress.requestSent()
    waiting.resolve(done)
  }

  readonly fail = (error: RequestBroken): void => {
    this.break(error)
    this.progress.requestBroken(error)
  }

  readonly defect = (cause: unknown): void => {
    this.break(new RequestBroken({ problem: "a stage of it threw" }))
    this.progress.requestDefect(cause)
  }

  private ask(): void {
    if (this.started) return this.flow.demand()
    this.started = true
    this.flow.consume(this)
  }

  private sent(): Promise<Result> {
    this.progress.requestSent()
    return Promise.resolve(done)
  }

  private break(error: RequestBroken): void {
    this.broken = error
    this.settle()?.reject(error)
  }

  private settle(): Waiting | undefined {
    const waiting = this.waiting
    this.waiting = undefined
    return waiting
  }
}
