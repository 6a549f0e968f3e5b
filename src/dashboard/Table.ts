import { type Child, element, fill, setClass, setText } from "./Element.js"

export interface Column<Item> {
  readonly title: string
  /** Its class, for its width and alignment: `num`, `mono`, `wide`. */
  readonly class?: string
  readonly text?: (item: Item) => string
  /** A further class, by what the thing is. */
  readonly tone?: (item: Item) => string
  /** Made once for a row; `current` gives what the row shows. */
  readonly make?: (current: () => Item) => Child
}

interface Row<Item> {
  readonly node: HTMLTableRowElement
  readonly cells: ReadonlyArray<HTMLTableCellElement>
  item: Item
}

/** A table whose rows stay the same as long as what they show does, so that focus and selection stay, too. */
export class Table<Item> {
  readonly node: HTMLElement
  private readonly body = element("tbody")
  private rows = new Map<string, Row<Item>>()
  private readonly none: HTMLElement

  /** `none`: what to say where there is nothing. */
  constructor(
    caption: string,
    private readonly columns: ReadonlyArray<Column<Item>>,
    private readonly keyOf: (item: Item) => string,
    none: string,
  ) {
    this.none = element("p", { class: "none" }, none)
    const heads = columns.map(({ class: name, title }) =>
      element("th", { class: name ?? "", is: { scope: "col" } }, title),
    )
    const table = element(
      "table",
      {},
      element("caption", { class: "unseen" }, caption),
      element("thead", {}, element("tr", {}, ...heads)),
      this.body,
    )
    this.node = element("div", { class: "table" }, table, this.none)
    this.none.hidden = true
  }

  show(items: ReadonlyArray<Item>): void {
    const rows = new Map<string, Row<Item>>()
    for (const item of items) {
      const key = this.keyOf(item)
      const row = this.rows.get(key) ?? this.makeRow(item)
      row.item = item
      this.drawRow(row)
      rows.set(key, row)
    }
    const nodes = [...rows.values()].map(({ node }) => node)
    const isSame =
      nodes.length === this.body.children.length && nodes.every((node, at) => node === this.body.children[at])
    // Taken out and put in again, the row with the focus would lose it.
    if (!isSame) fill(this.body, ...nodes)
    this.rows = rows
    this.none.hidden = items.length > 0
  }

  private makeRow(first: Item): Row<Item> {
    const cells = this.columns.map(({ class: name }) => element("td", { class: name ?? "" }))
    const row: Row<Item> = { node: element("tr", {}, ...cells), cells, item: first }
    for (const [at, { make }] of this.columns.entries()) {
      const cell = cells[at]
      if (make !== undefined && cell !== undefined)
        fill(
          cell,
          make(() => row.item),
        )
    }
    return row
  }

  private drawRow({ cells, item }: Row<Item>): void {
    for (const [at, { class: name = "", text, tone, title }] of this.columns.entries()) {
      const cell = cells[at]
      if (cell === undefined) continue
      if (text !== undefined) {
        const shown = text(item)
        setText(cell, shown)
        if (cell.title !== shown) cell.title = shown
      }
      if (cell.dataset["title"] !== title) cell.dataset["title"] = title
      if (tone !== undefined) setClass(cell, `${name} ${tone(item)}`)
    }
  }
}
