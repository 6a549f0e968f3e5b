import { element } from "./Element.js"

/** Rows in the document at most, and things in memory: pages far from what is seen are forgotten, and asked for again. */
const mostRows = 60
const mostKept = 2_000
/** Rows above and below what is seen. */
const overscan = 4
/** So near to the end of what is known the next page is asked for, in rows. */
const nearEnd = 100
/** Between the last scroll and the word on what is seen, in milliseconds. */
const settling = 150

interface Loaded<Item> {
  readonly items: ReadonlyArray<Item>
  readonly next: string | null
}

interface Page<Item> {
  cursor: string | undefined
  items: ReadonlyArray<Item> | undefined
  /** Of the items, also while they are forgotten. */
  length: number
}

/** A row of the document, which shows one thing after another. */
export interface ListRow<Item> {
  readonly node: HTMLElement
  /** `undefined`: it is still to come. */
  readonly show: (item: Item | undefined) => void
}

interface Slot<Item> extends ListRow<Item> {
  index: number
  item: Item | undefined
}

interface Options<Item> {
  readonly label: string
  readonly columns: number
  readonly idOf: (item: Item) => string
  readonly load: (after: string | undefined) => Promise<Loaded<Item>>
  readonly makeRow: (list: VirtualList<Item>) => ListRow<Item>
  /** What is on the screen, once it stands still. */
  readonly seen: (items: ReadonlyArray<Item>) => void
  /** How many there are, as far as is known, and whether there are more. */
  readonly counted: (count: number, isAll: boolean) => void
  readonly failed: (error: unknown) => void
}

/** A list of any length, of which only what is seen is in the document. */
export class VirtualList<Item> {
  readonly node: HTMLElement
  selected = -1
  private readonly space = element("div", { class: "space" })
  private readonly slots: Array<Slot<Item>> = []
  private pages: Array<Page<Item>> = [{ cursor: undefined, items: undefined, length: 0 }]
  private readonly loading = new Set<Page<Item>>()
  private frame = 0
  private settle: ReturnType<typeof setTimeout> | undefined
  private height = 0
  private readonly resized = new ResizeObserver(() => this.measure())

  constructor(private readonly options: Options<Item>) {
    const { columns, label } = options
    this.node = element(
      "div",
      {
        class: "list",
        is: {
          role: "grid",
          tabindex: "0",
          "aria-label": label,
          "aria-colcount": String(columns),
          "aria-rowcount": "-1",
        },
        on: { scroll: () => this.draw() },
      },
      this.space,
    )
    this.resized.observe(this.node)
  }

  /** Begins anew: other things are wanted. */
  reset(): void {
    this.pages = [{ cursor: undefined, items: undefined, length: 0 }]
    this.loading.clear()
    this.select(-1)
    this.node.scrollTop = 0
    this.draw()
  }

  /** Asks again for what is on the screen. */
  refresh(): void {
    const { first, last } = this.range()
    for (const [page, start] of this.starts())
      if (start <= last && start + page.length >= first) void this.load(page, true)
  }

  close(): void {
    this.resized.disconnect()
    cancelAnimationFrame(this.frame)
    clearTimeout(this.settle)
  }

  get selectedItem(): Item | undefined {
    return this.selected < 0 ? undefined : this.itemAt(this.selected)
  }

  /** Changes things that are known, by their ids. */
  update(changes: ReadonlyMap<string, (item: Item) => Item>): void {
    const { idOf } = this.options
    for (const page of this.pages) {
      if (page.items?.some((item) => changes.has(idOf(item))) !== true) continue
      page.items = page.items.map((item) => changes.get(idOf(item))?.(item) ?? item)
    }
    this.draw()
  }

  /** Selects the row that is so many further down. */
  move(by: number): void {
    const top = Math.floor(this.node.scrollTop / this.height)
    this.select(this.selected < 0 ? top : Math.min(this.count() - 1, Math.max(0, this.selected + by)))
    const [from, to] = [this.selected * this.height, (this.selected + 1) * this.height]
    const { clientHeight, scrollTop } = this.node
    if (from < scrollTop) this.node.scrollTop = from
    else if (to > scrollTop + clientHeight) this.node.scrollTop = to - clientHeight
    this.node.focus({ preventScroll: true })
    this.draw()
  }

  select(index: number): void {
    this.selected = index
    this.draw()
  }

  private *starts(): Generator<readonly [page: Page<Item>, start: number]> {
    let start = 0
    for (const page of this.pages) {
      yield [page, start]
      start += page.length
    }
  }

  private count(): number {
    return this.pages.reduce((sum, { length }) => sum + length, 0)
  }

  private pageAt(index: number): readonly [page: Page<Item>, start: number] | undefined {
    for (const [page, start] of this.starts()) if (index < start + page.length) return [page, start]
    return undefined
  }

  private itemAt(index: number): Item | undefined {
    const found = this.pageAt(index)
    return found?.[0].items?.[index - found[1]]
  }

  /** The height of a row is the style's to say. */
  private measure(): void {
    const height = Number.parseFloat(getComputedStyle(this.node).getPropertyValue("--row"))
    if (height !== this.height) for (const slot of this.slots) slot.index = -1
    this.height = height
    this.draw()
  }

  private range(): { readonly first: number; readonly last: number } {
    const { clientHeight, scrollTop } = this.node
    const first = Math.max(0, Math.floor(scrollTop / this.height) - overscan)
    const rows = Math.min(mostRows, Math.ceil(clientHeight / this.height) + 2 * overscan)
    return { first, last: first + rows - 1 }
  }

  /** Draws in the next frame. */
  private draw(): void {
    if (this.frame !== 0 || this.height === 0) return
    this.frame = requestAnimationFrame(() => {
      this.frame = 0
      this.drawNow()
    })
  }

  private drawNow(): void {
    const [{ first, last }, count] = [this.range(), this.count()]
    this.space.style.height = `${count * this.height}px`
    const rows = last - first + 1
    while (this.slots.length < Math.min(rows, count)) this.addSlot()
    for (const slot of this.slots) slot.node.hidden = true
    for (let index = first; index <= Math.min(last, count - 1); index += 1) this.drawRow(index)
    this.loadAround(first, last, count)
    clearTimeout(this.settle)
    this.settle = setTimeout(() => this.tellSeen(), settling)
  }

  private addSlot(): void {
    const row = this.options.makeRow(this)
    this.slots.push({ ...row, index: -1, item: undefined })
    this.space.append(row.node)
  }

  private drawRow(index: number): void {
    const slot = this.slots[index % this.slots.length]
    if (slot === undefined) return
    const item = this.itemAt(index)
    slot.node.hidden = false
    if (slot.index !== index) {
      slot.index = index
      slot.node.id = `row-${index}`
      slot.node.style.transform = `translateY(${index * this.height}px)`
      slot.node.ariaRowIndex = String(index + 1)
      slot.show(item)
    } else if (slot.item !== item) slot.show(item)
    slot.item = item
    const isSelected = index === this.selected
    if (slot.node.ariaSelected !== String(isSelected)) slot.node.ariaSelected = String(isSelected)
    if (isSelected) this.node.setAttribute("aria-activedescendant", slot.node.id)
  }

  /** The row of the document in which an event happened becomes the selected one. */
  selectNode(node: HTMLElement): void {
    const slot = this.slots.find((slot) => slot.node === node)
    if (slot !== undefined) this.select(slot.index)
  }

  private loadAround(first: number, last: number, count: number): void {
    for (const [page, start] of this.starts())
      if (page.items === undefined && start <= last && start + page.length >= first) void this.load(page, false)
    const end = this.pages.at(-1)
    if (end !== undefined && end.items === undefined && last + nearEnd >= count) void this.load(end, false)
  }

  private async load(page: Page<Item>, again: boolean): Promise<void> {
    if (this.loading.has(page) || (page.items !== undefined && !again)) return
    this.loading.add(page)
    try {
      const { items, next } = await this.options.load(page.cursor)
      if (this.pages.includes(page)) this.take(page, items, next)
    } catch (error) {
      if (this.pages.includes(page)) this.options.failed(error)
    } finally {
      this.loading.delete(page)
    }
  }

  private take(page: Page<Item>, items: ReadonlyArray<Item>, next: string | null): void {
    const at = this.pages.indexOf(page)
    page.items = items
    page.length = items.length
    const behind = this.pages[at + 1]
    if (next === null) this.pages.length = at + 1
    else if (behind === undefined) this.pages.push({ cursor: next, items: undefined, length: 0 })
    else if (behind.cursor !== next) {
      behind.cursor = next
      behind.items = undefined
    }
    this.forget()
    const isAll = next === null || this.pages.at(-1)?.items !== undefined
    this.node.ariaRowCount = String(isAll ? this.count() : -1)
    this.options.counted(this.count(), isAll)
    this.draw()
  }

  /** Pages farthest from what is seen go first. */
  private forget(): void {
    const { first } = this.range()
    const kept = [...this.starts()].filter(([page]) => page.items !== undefined)
    kept.sort(([, one], [, other]) => Math.abs(other - first) - Math.abs(one - first))
    let items = kept.reduce((sum, [{ length }]) => sum + length, 0)
    for (const [page] of kept) {
      if (items <= mostKept) return
      page.items = undefined
      items -= page.length
    }
  }

  private tellSeen(): void {
    const { first, last } = this.range()
    const items: Array<Item> = []
    for (let index = first; index <= last; index += 1) {
      const item = this.itemAt(index)
      if (item !== undefined) items.push(item)
    }
    this.options.seen(items)
  }
}
