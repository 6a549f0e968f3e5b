import { Clock, Effect, Queue, type Scope } from "effect"
import type { CommandFailed } from "../Failure.js"
import { openScreen, type Screen, type ScreenEvent } from "./Screen.js"
import type { ProxyAction } from "./TopActions.js"
import type { Looked, TopSource } from "./TopSource.js"
import { type Action, initialState, pressed, resized, seen, type TopState, unanswered, wantedOf } from "./TopState.js"
import { screenOf } from "./TopView.js"
import type { TopSort } from "./Snapshot.js"

/** What `top` waits for. */
type TopEvent =
  | ScreenEvent
  | { readonly _tag: "Seen"; readonly looked: Looked }
  | { readonly _tag: "Silent"; readonly problem: string; readonly time: number }
  | { readonly _tag: "Done"; readonly notice: string }

/** How `top` is run. `interval`: between two looks, in milliseconds. */
export interface TopOptions {
  readonly sort: TopSort
  readonly filter: string
  readonly interval: number
  readonly perform: (action: ProxyAction) => Effect.Effect<string>
}

/** The state after something that is no key. */
const after = (state: TopState, event: Exclude<TopEvent, { readonly _tag: "Key" | "Gone" }>): TopState => {
  switch (event._tag) {
    case "Resized":
      return resized(state, event.columns, event.rows)
    case "Seen":
      return seen(state, event.looked.snapshot, event.looked.live)
    case "Silent":
      return unanswered(state, event.problem, event.time)
    case "Done":
      return { ...state, notice: event.notice }
  }
}

/** `top` while it runs. */
class Running {
  constructor(
    private state: TopState,
    private readonly screen: Screen,
    private readonly events: Queue.Queue<TopEvent>,
    /** Somebody wants to know now. */
    private readonly wake: Queue.Queue<void>,
    private readonly source: TopSource,
    private readonly options: TopOptions,
  ) {}

  /** Asks the proxies again and again. */
  get looks(): Effect.Effect<never> {
    const look = Effect.gen(this, function* () {
      if (this.state.isPaused) return
      const time = yield* Clock.currentTimeMillis
      const event = yield* Effect.match(this.source.look(wantedOf(this.state)), {
        onFailure: ({ problem }): TopEvent => ({ _tag: "Silent", problem, time }),
        onSuccess: (looked): TopEvent => ({ _tag: "Seen", looked }),
      })
      yield* Queue.offer(this.events, event)
    })
    const pause = Effect.raceFirst(Effect.sleep(this.options.interval), Queue.take(this.wake))
    return Effect.forever(Effect.zipRight(pause, look))
  }

  /** Takes what has come, and draws the screen once. Whether that was the end. */
  get turn(): Effect.Effect<boolean, never, Scope.Scope> {
    return Effect.gen(this, function* () {
      for (const event of yield* Queue.takeBetween(this.events, 1, 1_000)) if (yield* this.take(event)) return true
      const now = yield* Clock.currentTimeMillis
      this.screen.draw(screenOf(this.state, now))
      return false
    })
  }

  private take(event: TopEvent): Effect.Effect<boolean, never, Scope.Scope> {
    if (event._tag === "Gone") return Effect.succeed(true)
    if (event._tag !== "Key") {
      this.state = after(this.state, event)
      return Effect.succeed(false)
    }
    const { action, state } = pressed(this.state, event.key)
    this.state = state
    if (action === undefined) return Effect.succeed(false)
    return action._tag === "Quit" ? Effect.succeed(true) : Effect.as(this.act(action), false)
  }

  private act(action: Exclude<Action, { readonly _tag: "Quit" }>): Effect.Effect<void, never, Scope.Scope> {
    switch (action._tag) {
      case "Suspend":
        return Effect.sync(this.screen.suspend)
      case "Redraw":
        return Effect.sync(() => this.screen.forget())
      case "Look":
        return Effect.asVoid(Queue.offer(this.wake, undefined))
      default:
        // Keys are heard meanwhile.
        return Effect.flatMap(this.options.perform(action), (notice) =>
          Effect.zipRight(Queue.offer(this.events, { _tag: "Done", notice }), Queue.offer(this.wake, undefined)),
        ).pipe(Effect.forkScoped, Effect.asVoid)
    }
  }
}

/**
 * Shows what happens on the terminal until a key ends it. The terminal is as it was when the scope closes. Fails before
 * anything is drawn if no proxy answers; one that goes away later is waited for.
 */
export const runTop = (source: TopSource, options: TopOptions): Effect.Effect<void, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const state = initialState(options.sort, options.filter, 80, 24)
    const { snapshot } = yield* source.look(wantedOf(state))
    const events = yield* Queue.unbounded<TopEvent>()
    const wake = yield* Queue.sliding<void>(1)
    const screen = yield* openScreen(events)
    const running = new Running(seen(state, snapshot, undefined), screen, events, wake, source, options)
    yield* Effect.forkScoped(running.looks)
    yield* Effect.repeat(running.turn, { until: (isOver) => isOver })
  })
