import type { Receiver, Wire } from "../../src/workers/Channel.js"

/** Two ends of a wire in memory. What goes over it is JSON, as between processes, and comes in a later turn. */
export const wirePair = () => {
  const receivers: Array<Receiver | undefined> = [undefined, undefined]
  const end = (own: number): Wire => ({
    send: (message) => {
      const text = JSON.stringify(message)
      setImmediate(() => receivers[1 - own]?.message(JSON.parse(text)))
    },
    open: (receiver) => {
      receivers[own] = receiver
      return () => {
        receivers[own] = undefined
      }
    },
  })
  return {
    ends: [end(0), end(1)] as const,
    /** Cuts the wire, as when one of two processes is gone. */
    cut: () => {
      for (const receiver of receivers.splice(0)) receiver?.closed()
    },
    /** Brings something to the first end that no channel has sent. */
    inject: (message: unknown) => receivers[0]?.message(message),
  }
}
