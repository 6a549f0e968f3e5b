import type { EventEmitter } from "node:events"
import { Data, Deferred, Effect, Either, FiberSet, Schema, type Scope } from "effect"
import { Envelope, type Notice, type Question } from "./Messages.js"

/** Who takes what comes over a wire. */
export interface Receiver {
  readonly message: (message: unknown) => void
  /** Nothing comes any more, and nothing goes. */
  readonly closed: () => void
}

/** One end of what carries messages between two processes, as JSON values. */
export interface Wire {
  /** Sends a message; what cannot be sent any more is lost. */
  readonly send: (message: Envelope) => void
  /** Hands over what comes, until the function is called that this returns. */
  readonly open: (receiver: Receiver) => () => void
}

/** What of a process it takes to send it messages: of a child, or of this one, whose parent gets them. */
type Peer = EventEmitter & Pick<NodeJS.Process, "connected" | "send">

/** The wire that node lays to a child that is started with `ipc`, and in such a child to its parent. */
export const wireTo = (peer: Peer): Wire => ({
  send: (message) => {
    // A peer that has just gone is no failure of whoever sends: `closed` tells of it.
    if (peer.connected) peer.send?.(message, undefined, {}, () => {})
  },
  open: ({ closed, message }) => {
    peer.on("message", message)
    peer.on("disconnect", closed)
    if (!peer.connected) closed()
    return () => {
      peer.off("message", message)
      peer.off("disconnect", closed)
    }
  },
})

/** A question that has no answer: the other side is gone, took too long, or could not make sense of it. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly question: string
  readonly reason: "gone" | "late" | "refused" | "unreadable"
  /** What the other side said, or what could not be read. */
  readonly detail: string
}> {
  override get message(): string {
    return `no answer to ${this.question}: ${this.reason}${this.detail === "" ? "" : `, ${this.detail}`}`
  }
}

/** How long an answer may take, in milliseconds. */
export const answerTime = 1_000

const readEnvelope = Schema.decodeUnknownEither(Envelope)

type Resume = (answer: Either.Either<unknown, Omit<ConstructorParameters<typeof NoAnswer>[0], "question">>) => void

/** One end of the talk between the supervisor and a worker: notices, and questions with their answers, in both directions. */
export class Channel {
  private readonly hearers = new Map<string, Set<(body: unknown) => void>>()
  private readonly answerers = new Map<string, (body: unknown) => Effect.Effect<unknown, string>>()
  private readonly asked = new Map<number, Resume>()
  private lastId = 0
  private open = true

  private constructor(
    private readonly wire: Wire,
    private readonly fork: (effect: Effect.Effect<void>) => unknown,
    private readonly ended: Deferred.Deferred<void>,
  ) {}

  /** Opens this end, for as long as the scope lasts. */
  static readonly make = (wire: Wire): Effect.Effect<Channel, never, Scope.Scope> =>
    Effect.gen(function* () {
      const fork = yield* FiberSet.makeRuntime<never>()
      const channel = new Channel(wire, fork, yield* Deferred.make<void>())
      yield* Effect.acquireRelease(
        Effect.sync(() => wire.open({ message: channel.came, closed: channel.close })),
        (stop) =>
          Effect.sync(() => {
            stop()
            channel.close()
          }),
      )
      return channel
    })

  /** Whether the other side can still be reached. */
  get isOpen(): boolean {
    return this.open
  }

  /** Ends when the other side is gone. */
  get closed(): Effect.Effect<void> {
    return Deferred.await(this.ended)
  }

  /** Tells the other side something; it is lost where nobody is there any more. */
  tell<A, I>({ body, name }: Notice<A, I>, told: NoInfer<A>): void {
    this.wire.send({ kind: "notice", name, body: Schema.encodeSync(body)(told) })
  }

  /**
   * Calls `taker` for each notice of a kind, until the function is called that this returns. A notice that does not fit its
   * schema is passed over: it is of a version that says so.
   */
  hear<A, I>({ body, name }: Notice<A, I>, taker: (told: NoInfer<A>) => void): () => void {
    const read = Schema.decodeUnknownEither(body)
    const hearer = (given: unknown): void => Either.match(read(given), { onLeft: () => {}, onRight: taker })
    const hearers = this.hearers.get(name) ?? new Set()
    this.hearers.set(name, hearers.add(hearer))
    return () => void hearers.delete(hearer)
  }

  /** Asks the other side; within `answerTime` there is an answer, or there is none. */
  ask<A, I, B, J>(asks: Question<A, I, B, J>, asked: NoInfer<A>): Effect.Effect<B, NoAnswer> {
    return Effect.timeoutFail(this.askPatiently(asks, asked), {
      duration: answerTime,
      onTimeout: () => new NoAnswer({ question: asks.name, reason: "late", detail: "" }),
    })
  }

  /** The same without a time limit, for an answer that is not given twice: it comes, or the other side is gone. */
  askPatiently<A, I, B, J>(
    { answer, name, question }: Question<A, I, B, J>,
    asked: NoInfer<A>,
  ): Effect.Effect<B, NoAnswer> {
    const read = Schema.decodeUnknownEither(answer)
    return Effect.async<B, NoAnswer>((resume) => {
      const none = (reason: NoAnswer["reason"], detail: string) =>
        resume(new NoAnswer({ question: name, reason, detail }))
      if (!this.open) return none("gone", "")
      const id = ++this.lastId
      this.asked.set(id, (given) => {
        this.asked.delete(id)
        if (Either.isLeft(given)) return none(given.left.reason, given.left.detail)
        Either.match(read(given.right), {
          onLeft: ({ message }) => none("unreadable", message),
          onRight: (found) => resume(Effect.succeed(found)),
        })
      })
      this.wire.send({ kind: "question", id, name, body: Schema.encodeSync(question)(asked) })
      return Effect.sync(() => void this.asked.delete(id))
    })
  }

  /** Answers a kind of question from now on, until the function is called that this returns. A defect is said to who asked. */
  answer<A, I, B, J>(
    { answer, name, question }: Question<A, I, B, J>,
    answerTo: (asked: A) => Effect.Effect<B>,
  ): () => void {
    const read = Schema.decodeUnknownEither(question)
    const encode = Schema.encodeSync(answer)
    this.answerers.set(name, (given) =>
      Either.match(read(given), {
        onLeft: ({ message }) => Effect.fail(message),
        onRight: (asked) => Effect.map(answerTo(asked), encode),
      }),
    )
    return () => void this.answerers.delete(name)
  }

  private readonly came = (message: unknown): void => {
    const read = readEnvelope(message)
    if (Either.isLeft(read)) return
    const envelope = read.right
    switch (envelope.kind) {
      case "notice":
        for (const hearer of this.hearers.get(envelope.name) ?? []) hearer(envelope.body)
        return
      case "question":
        // Whoever opened the channel may have been uninterruptible, and what he forks would be so, too.
        return void this.fork(Effect.interruptible(this.reply(envelope.id, envelope.name, envelope.body)))
      case "answer":
        return this.asked.get(envelope.id)?.(Either.right(envelope.body))
      case "refusal":
        return this.asked.get(envelope.id)?.(Either.left({ reason: "refused", detail: envelope.problem }))
    }
  }

  private reply(id: number, name: string, body: unknown): Effect.Effect<void> {
    const { wire } = this
    const refuse = (problem: string) => Effect.sync(() => wire.send({ kind: "refusal", id, problem }))
    const answerer = this.answerers.get(name)
    if (answerer === undefined) return refuse("it is not known here")
    return Effect.suspend(() => answerer(body)).pipe(
      Effect.map((answer) => wire.send({ kind: "answer", id, body: answer })),
      Effect.catchAll(refuse),
      Effect.catchAllDefect((defect) =>
        Effect.zipRight(Effect.logError(`a question of ${name} could not be answered`, defect), refuse("a defect")),
      ),
    )
  }

  private readonly close = (): void => {
    if (!this.open) return
    this.open = false
    for (const resume of Array.from(this.asked.values())) resume(Either.left({ reason: "gone", detail: "" }))
    // Safe: what is awaited is told once, and outside of any fiber.
    Deferred.unsafeDone(this.ended, Effect.void)
  }
}
