import { hangUpStops } from "./SignalCatcher.js"

/**
 * Signals that do not stop the proxy, and whose default action would end the process (SIGUSR2, SIGHUP) or open the port
 * of Node's debugger (SIGUSR1). SIGHUP asks many programs to reload their files, and comes when the terminal of a `nohup`
 * closes.
 */
const ignored: ReadonlyArray<NodeJS.Signals> = ["SIGUSR1", "SIGUSR2", ...(hangUpStops ? [] : (["SIGHUP"] as const))]

/** Prevents the default action of these signals, and keeps them until there is a listener. */
export class IgnoredSignals {
  private static current: IgnoredSignals | undefined
  private readonly kept: Array<NodeJS.Signals> = []
  private listener: ((signal: NodeJS.Signals) => void) | undefined

  private constructor(private readonly signals: ReadonlyArray<NodeJS.Signals>) {
    for (const signal of signals) process.on(signal, this.came)
  }

  /** Ignores the signals from now on; the first one to call this may say which. */
  static start(signals: ReadonlyArray<NodeJS.Signals> = ignored): IgnoredSignals {
    IgnoredSignals.current ??= new IgnoredSignals(signals)
    return IgnoredSignals.current
  }

  /** From now on each signal has its default action. */
  static stop(): void {
    const { current } = IgnoredSignals
    for (const signal of current?.signals ?? []) if (current !== undefined) process.off(signal, current.came)
    IgnoredSignals.current = undefined
  }

  /** Calls `listener` for the kept signals, then for each new one, until the returned function is called. */
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
