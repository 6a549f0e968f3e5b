/** How much of a turn of the event loop goes into such work, in milliseconds: nobody notices so much. */
export const sliceTime = 1

/** So many steps are taken in a turn at least: the system may let this process wait for longer than a slice. */
const leastSteps = 4

/** Work in many small steps. */
export interface Steps {
  /** Takes the next step. `false`: it was the last one. */
  readonly step: () => boolean
}

/**
 * Does work that may be very much a slice in each turn of the event loop, so that nobody else waits for it; what is little
 * is done before `add` returns. All that is added shares the slice of a turn: first come, first served.
 */
export class Slices {
  private readonly queue: Array<Steps> = []
  private isWorking = false
  private endOfSlice = 0
  private steps = 0
  private isScheduled = false

  /** `mostSteps`: in a turn, where what follows from a step takes longer than the step. */
  constructor(private readonly mostSteps = Number.POSITIVE_INFINITY) {}

  add(work: Steps): void {
    this.queue.push(work)
    if (!this.isScheduled) this.beginSlice()
    this.work()
  }

  /** The clock runs until the turn is over, whether there is more to do or not. */
  private beginSlice(): void {
    this.endOfSlice = performance.now() + sliceTime
    this.steps = 0
    this.isScheduled = true
    setImmediate(this.nextTurn)
  }

  private readonly nextTurn = (): void => {
    this.isScheduled = false
    if (this.queue.length === 0) return
    this.beginSlice()
    this.work()
  }

  private get mayStep(): boolean {
    return this.steps < leastSteps || (this.steps < this.mostSteps && performance.now() < this.endOfSlice)
  }

  /** A step may add work: it is done behind that of others. */
  private work(): void {
    if (this.isWorking) return
    this.isWorking = true
    try {
      let [first] = this.queue
      while (first !== undefined && this.mayStep) {
        this.steps++
        if (first.step()) continue
        this.queue.shift()
        first = this.queue[0]
      }
    } finally {
      // A step that throws, which is a defect, is over; those behind it have their turns.
      this.isWorking = false
    }
  }
}
