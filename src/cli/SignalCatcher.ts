import { isatty } from "node:tty"

/** npm passes a Ctrl-C on to a program that the terminal has sent it to already: two signals that mean one. */
const echoWindow = 100

/** SIGHUP says that the terminal is gone, where there was one. A terminal that is gone is none any more, so it is looked at first. */
export const hangUpStops = isatty(0)

const stopping: ReadonlyArray<NodeJS.Signals> = ["SIGTERM", "SIGINT", ...(hangUpStops ? (["SIGHUP"] as const) : [])]

/**
 * Catches the signals that ask the process to stop, and keeps them until somebody takes them. It imports nothing of the
 * program, so that it can be there before the program is loaded. The third signal ends the process where it stands, so that one which hangs
 * can still be stopped from the keyboard.
 */
export class SignalCatcher {
  private static inForce: SignalCatcher | undefined
  private readonly kept: Array<NodeJS.Signals> = []
  private taker: ((signal: NodeJS.Signals) => void) | undefined
  private count = 0
  private last: { readonly signal: NodeJS.Signals; readonly at: number } | undefined

  private constructor() {
    for (const signal of stopping) process.on(signal, this.caught)
  }

  /** The one that catches already; `undefined` where signals do what they do by themselves. */
  static get current(): SignalCatcher | undefined {
    return SignalCatcher.inForce
  }

  /** Catches from now on. */
  static start(): SignalCatcher {
    SignalCatcher.inForce ??= new SignalCatcher()
    return SignalCatcher.inForce
  }

  /** Hands every signal to `taker` until the function is called that this returns; first those that were kept. */
  handTo(taker: (signal: NodeJS.Signals) => void): () => void {
    this.taker = taker
    for (const signal of this.kept.splice(0)) taker(signal)
    return () => {
      this.taker = undefined
    }
  }

  /**
   * From here on each signal does what it does by itself, and so does one that was kept. Not by catching no more: a signal
   * that node has noticed and not yet told of would be lost.
   */
  letThrough(): void {
    this.handTo((signal) => {
      this.stop()
      process.kill(process.pid, signal)
    })
  }

  /** Catches no more. */
  stop(): void {
    for (const signal of stopping) process.off(signal, this.caught)
    if (SignalCatcher.inForce === this) SignalCatcher.inForce = undefined
  }

  private readonly caught = (signal: NodeJS.Signals): void => {
    const at = performance.now()
    if (this.last !== undefined && this.last.signal === signal && at - this.last.at < echoWindow) return
    this.last = { signal, at }
    if (++this.count > 2) process.exit(1)
    if (this.taker === undefined) this.kept.push(signal)
    else this.taker(signal)
  }
}
