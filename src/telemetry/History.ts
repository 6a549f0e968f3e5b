import { statusClasses } from "./Causes.js"
import { quantileOf } from "./Quantile.js"
import { durationBounds, firstByteBounds, totalCount, totalPlaces, type Totals } from "./Totals.js"

/** How much is under way at one moment, and how much of its time the event loop works: 0 to 1. */
export interface UnderWay {
  readonly requests: number
  readonly streams: number
  readonly websockets: number
  readonly connections: number
  readonly loopUtilization: number
}

/** What a proxy did in a second, for each second of it; and how much was under way at its end. Latencies are milliseconds. */
export interface Sample extends UnderWay {
  /** Its end, in milliseconds since the epoch. */
  readonly time: number
  /** Requests that were over, by the class of their answers, in the order of `statusClasses`. */
  readonly answers: ReadonlyArray<number>
  /** Those that came to nothing by the fault of a server or of the proxy. */
  readonly errors: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly messagesIn: number
  readonly messagesOut: number
  /** Of requests that were over; NaN where none was. */
  readonly p50: number
  readonly p99: number
  /** Of answers that began. */
  readonly firstByteP50: number
  readonly firstByteP99: number
}

/** A quarter of an hour. */
export const mostSamples = 900

/** The numbers of a sample, by their places: the time, rates as in `Totals`, latencies, and what is under way. */
const places = {
  time: 0,
  rates: 1,
  latencies: 1 + totalPlaces.durations,
  underWay: 5 + totalPlaces.durations,
}
const width = places.underWay + 5

const [median, slow] = [0.5, 0.99]

/** The last samples, in one flat array: taking one makes nothing. */
export class History {
  private readonly numbers = new Float64Array(mostSamples * width)
  private readonly differences = new Float64Array(totalCount)
  private next = 0
  private count = 0

  /** How many samples there are. */
  get size(): number {
    return this.count
  }

  /**
   * Takes a sample of what has come between two moments. `milliseconds`: what really lay between them, by a clock that nobody
   * sets: a timer that was late, or a machine that slept, makes no rate wrong. `date`: of the second, since the epoch.
   */
  add(before: Totals, after: Totals, milliseconds: number, date: number, underWay: UnderWay): void {
    const { differences, numbers } = this
    for (let place = 0; place < totalCount; place++)
      differences[place] = Math.max(0, (after.values[place] ?? 0) - (before.values[place] ?? 0))
    const first = this.next * width
    numbers[first] = date
    const seconds = Math.max(milliseconds, 1) / 1_000
    for (let place = 0; place < totalPlaces.durations; place++)
      numbers[first + places.rates + place] = (differences[place] ?? 0) / seconds
    this.addLatencies(first + places.latencies)
    const { connections, loopUtilization, requests, streams, websockets } = underWay
    numbers[first + places.underWay] = requests
    numbers[first + places.underWay + 1] = streams
    numbers[first + places.underWay + 2] = websockets
    numbers[first + places.underWay + 3] = connections
    numbers[first + places.underWay + 4] = loopUtilization
    this.next = (this.next + 1) % mostSamples
    this.count = Math.min(this.count + 1, mostSamples)
  }

  private addLatencies(first: number): void {
    const { differences, numbers } = this
    const { durations, firstBytes } = totalPlaces
    numbers[first] = quantileOf(durationBounds, differences, durations, median) * 1_000
    numbers[first + 1] = quantileOf(durationBounds, differences, durations, slow) * 1_000
    numbers[first + 2] = quantileOf(firstByteBounds, differences, firstBytes, median) * 1_000
    numbers[first + 3] = quantileOf(firstByteBounds, differences, firstBytes, slow) * 1_000
  }

  /** The sample that was taken so many before the last one; of nothing where there is none so old. */
  before(index: number): Sample {
    const first = ((this.next - 1 - index + 2 * mostSamples) % mostSamples) * width
    const number = (place: number): number => this.numbers[first + place] ?? 0
    const rate = (place: number): number => number(places.rates + place)
    const latency = (place: number): number => (this.count === 0 ? Number.NaN : number(places.latencies + place))
    return {
      time: number(0),
      answers: statusClasses.map((_, place) => rate(totalPlaces.answers + place)),
      errors: rate(totalPlaces.errors),
      bytesIn: rate(totalPlaces.bytesIn),
      bytesOut: rate(totalPlaces.bytesOut),
      messagesIn: rate(totalPlaces.messagesIn),
      messagesOut: rate(totalPlaces.messagesOut),
      p50: latency(0),
      p99: latency(1),
      firstByteP50: latency(2),
      firstByteP99: latency(3),
      requests: number(places.underWay),
      streams: number(places.underWay + 1),
      websockets: number(places.underWay + 2),
      connections: number(places.underWay + 3),
      loopUtilization: number(places.underWay + 4),
    }
  }
}
