/** Where something stands in a list: its number, and its id. */
export interface Place {
  readonly key: number
  readonly id: string
}

/** The first places of a list of any length, found without sorting all of it. */
export class TopList {
  /** In their order. */
  readonly places: Array<Place> = []

  /** `size`: how many are kept. Those of one number stand by their ids. `after`: only those behind it. */
  constructor(
    private readonly size: number,
    private readonly descends: boolean,
    private readonly after: Place | undefined,
  ) {}

  /** There may be more. */
  get isFull(): boolean {
    return this.places.length === this.size
  }

  add(place: Place): void {
    const { after, places, size } = this
    if (after !== undefined && !this.isBefore(after, place)) return
    const last = places.at(-1)
    if (places.length === size && last !== undefined && !this.isBefore(place, last)) return
    places.splice(this.indexOf(place), 0, place)
    if (places.length > size) places.pop()
  }

  /** Where it belongs. */
  private indexOf(place: Place): number {
    let [low, high] = [0, this.places.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.places[middle]
      if (other !== undefined && this.isBefore(other, place)) low = middle + 1
      else high = middle
    }
    return low
  }

  private isBefore(one: Place, other: Place): boolean {
    if (one.key !== other.key) return this.descends ? one.key > other.key : one.key < other.key
    return one.id < other.id
  }
}
