import { catalogue, type Metric } from "./Catalogue.js"
import { answerCauses, statusClasses } from "./Causes.js"
import { type Cells, cellOf } from "./Cells.js"

const { bodyBytes, broken, firstByte, frameBytes, messages, requestDuration, requests } = catalogue

/** Buckets of a histogram, the last of which is infinite. */
const bucketsOf = ({ bounds }: Metric): number => bounds.length + 1

/** Where which of the totals stands. `answers`: one for each of `statusClasses`. */
export const totalPlaces = {
  answers: 0,
  errors: 6,
  bytesIn: 7,
  bytesOut: 8,
  messagesIn: 9,
  messagesOut: 10,
  durations: 11,
  firstBytes: 11 + bucketsOf(requestDuration),
} as const

/** How many totals there are. */
export const totalCount = totalPlaces.firstBytes + bucketsOf(firstByte)

/** Bounds of the two histograms, in seconds. */
export const durationBounds = requestDuration.bounds
export const firstByteBounds = firstByte.bounds

/** Of each kind of answer its class; and whether it is an error of the proxy's that is not the client's fault. */
const classes = Uint8Array.from(answerCauses, ({ status }) => statusClasses.indexOf(status))
const areErrors = Uint8Array.from(answerCauses, ({ cause, status }) =>
  status === "5xx" && cause !== "" && cause !== "reply" ? 1 : 0,
)

const cells = {
  broken: (["server", "session", "proxy"] as const).map((by) => cellOf(broken, by)),
  bytesIn: [cellOf(bodyBytes, "in"), cellOf(frameBytes, "in")],
  bytesOut: [cellOf(bodyBytes, "out"), cellOf(frameBytes, "out")],
  messagesIn: [cellOf(messages, "in")],
  messagesOut: [cellOf(messages, "out")],
}

/** Numbers that only grow, of what is over: rates are their differences. */
export class Totals {
  readonly values = new Float64Array(totalCount)

  /** Adds what was counted so far. */
  read({ values: counted }: Cells): void {
    const { values } = this
    values.fill(0)
    for (let place = 0; place < requests.series; place++) {
      const count = counted[requests.offset + place] ?? 0
      if (count === 0) continue
      const answer = place % classes.length
      this.add(totalPlaces.answers + (classes[answer] ?? 0), count)
      if (areErrors[answer] === 1) this.add(totalPlaces.errors, count)
    }
    this.addAll(totalPlaces.errors, counted, cells.broken)
    this.addAll(totalPlaces.bytesIn, counted, cells.bytesIn)
    this.addAll(totalPlaces.bytesOut, counted, cells.bytesOut)
    this.addAll(totalPlaces.messagesIn, counted, cells.messagesIn)
    this.addAll(totalPlaces.messagesOut, counted, cells.messagesOut)
    for (let series = 0; series < requestDuration.series; series++)
      this.addBuckets(totalPlaces.durations, counted, requestDuration, series)
    this.addBuckets(totalPlaces.firstBytes, counted, firstByte, 0)
  }

  add(place: number, by: number): void {
    this.values[place] = (this.values[place] ?? 0) + by
  }

  private addAll(place: number, counted: Float64Array, from: ReadonlyArray<number>): void {
    for (const cell of from) this.add(place, counted[cell] ?? 0)
  }

  private addBuckets(place: number, counted: Float64Array, metric: Metric, series: number): void {
    const first = metric.offset + series * metric.width
    for (let bucket = 0; bucket < bucketsOf(metric); bucket++) this.add(place + bucket, counted[first + bucket] ?? 0)
  }
}
