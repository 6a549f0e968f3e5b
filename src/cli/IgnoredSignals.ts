import { hangUpStops } from "./SignalCatcher.js"

/**
 * What does not stop the proxy, yet would end the process (SIGUSR2, SIGHUP) or open a port for node's debugger (SIGUSR1).
 * SIGHUP is sent by those who want files to be read again, and to what `nohup` has started when its terminal goes.
 */
const ignored: ReadonlyArray<NodeJS.Signals> = ["SIGUSR1", "SIGUSR2", ...(hangUpStops ? [] : (["SIGHUP"] as const))]

/** Keeps signals from ending the process, and keeps them until somebody wants to be told. */
export class IgnoredSignals {
  private static inForce: IgnoredSignals | undefined
  private readonly kept: Array<NodeJS.Signals> = []
  private listener: ((signal: NodeJS.Signals) => void) | undefined

  private constructor() {
    for (const signal of ignored) process.on(signal, this.came)
  }

  /** Ignores them from now on. */
  static start(): IgnoredSignals {
    IgnoredSignals.inForce ??= new IgnoredSignals()
    return IgnoredSignals.inForce
  }

  /** From here on each does what it does by itself. */
  static stop(): void {
    for (const signal of ignored)
      if (IgnoredSignals.inForce !== undefined) process.off(signal, IgnoredSignals.inForce.came)
    IgnoredSignals.inForce = undefined
  }

  /** Tells `listener` of every one that comes, first of those that were kept, until the function is called that this returns. */
  tell(listener: (signal: NodeJS.Signals) => void): () => void {
    this.listener = listener
    for (const signal of this.kept.splice(0)) listener(signal)
    return () => {
      this.listener = undefined
    }
  }

  private readonly came = (signal: NodeJS.Signals): void => {
    if (this.listener === undefined) this.kept.push(signal)
    else this.listener(signal)
  }
}
