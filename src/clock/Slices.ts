/** Milliseconds of each event loop turn that long work may take: too little to be noticed. */
export const sliceTime = 1

/** Steps per turn, even when the slice is over: the system may suspend this process for longer than a slice. */
const minSteps = 4

/** Work that consists of many small steps. */
export interface Steps {
  /** Takes the next step. `false`: it was the last one. */
  readonly step: () => boolean
}

/**
 * Does long work in slices, one in each turn of the event loop, so that other events are not delayed. Short work is
 * done before `add` returns. All work shares the slice of a turn, in order of arrival.
 */
export class Slices {
  private readonly queue: Array<Steps> = []
  private isWorking = false
  private endOfSlice = 0
  private steps = 0
  private isScheduled = false

  /** `maxSteps`: limit of steps per turn, for steps whose consequences take longer than the step itself. */
  constructor(private readonly maxSteps = Number.POSITIVE_INFINITY) {}

  add(work: Steps): void {
    this.queue.push(work)
    if (!this.isScheduled) this.beginSlice()
    this.work()
  }

  /** A slice lasts until its turn is over, even if the queue is empty before. */
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
    return this.steps < minSteps || (this.steps < this.maxSteps && performance.now() < this.endOfSlice)
  }

  /** A step may add work, which goes to the end of the queue. */
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
    } catch (error) {
      // Work whose step throws (a defect) is over; what waits behind it goes on in the next turn.
      this.queue.shift()
      throw error
    } finally {
      this.isWorking = false
    }
  }
}
