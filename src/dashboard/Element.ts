// The one place where elements are made. Whatever comes from the proxy becomes text here, never markup.

export type Child = Node | string | undefined

interface Options {
  readonly class?: string
  readonly title?: string
  /** Further attributes; none of them is ever one that runs something, and none is a URL from the proxy. */
  readonly is?: Readonly<Record<string, string>>
  readonly on?: { readonly [Name in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[Name]) => void }
}

/** An element with what is in it: other elements, and texts. */
export const element = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  options: Options = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Tag] => {
  const made = document.createElement(tag)
  if (options.class !== undefined) made.className = options.class
  if (options.title !== undefined) made.title = options.title
  for (const [name, value] of Object.entries(options.is ?? {})) made.setAttribute(name, value)
  for (const [name, listener] of Object.entries(options.on ?? {}))
    made.addEventListener(name, (event) => Reflect.apply(listener, undefined, [event]))
  fill(made, ...children)
  return made
}

/** Puts these in place of what is in an element. */
export const fill = (parent: Element, ...children: ReadonlyArray<Child>): void =>
  parent.replaceChildren(...children.filter((child) => child !== undefined))

/** Changes a text only where it is another: a page that stands still costs nothing. */
export const setText = (node: Element, text: string): void => {
  if (node.textContent !== text) node.textContent = text
}

export const setClass = (node: Element, name: string): void => {
  if (node.className !== name) node.className = name
}

export const button = (label: string, onClick: () => void, options: Options = {}): HTMLButtonElement =>
  element("button", { ...options, is: { type: "button", ...options.is }, on: { click: onClick } }, label)

/** A link to another place of this page. */
export const link = (route: string, label: string, options: Options = {}): HTMLAnchorElement =>
  element("a", { ...options, is: { href: route, ...options.is } }, label)

/** A field with its name above it. */
export const field = (label: string, input: HTMLElement, note?: string): HTMLLabelElement =>
  element(
    "label",
    { class: "field" },
    element("span", {}, label),
    input,
    note === undefined ? undefined : element("small", { class: "dim" }, note),
  )

export const input = (value = "", is: Readonly<Record<string, string>> = {}): HTMLInputElement => {
  const made = element("input", { is: { type: "text", autocomplete: "off", spellcheck: "false", ...is } })
  made.value = value
  return made
}

export const select = (
  choices: ReadonlyArray<readonly [value: string, label: string]>,
  value = "",
): HTMLSelectElement => {
  const options = choices.map(([value, label]) => element("option", { is: { value } }, label))
  const made = element("select", {}, ...options)
  made.value = value
  return made
}
