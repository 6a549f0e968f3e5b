import { button, element, fill, type Child } from "./Element.js"

interface Asked {
  readonly title: string
  readonly body: ReadonlyArray<Child>
  /** What the button says that does it. */
  readonly does: string
  readonly isDanger?: boolean
  /** Whether there is nothing to decide. */
  readonly isNews?: boolean
  /** Whether it may be done as the fields are now. */
  readonly mayDo?: () => boolean
  /** Does it. What it throws is shown in the dialog, which stays; what it gives keeps it open, too. */
  readonly act: () => Promise<void | Child>
}

/** What to say of something that went wrong. */
export const problemText = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return "code" in error && typeof error.code === "string" ? `${error.message} (${error.code})` : error.message
}

const focusBack = (before: Element | null): void => {
  const to =
    before instanceof HTMLElement && before.isConnected ? before : document.querySelector("main [tabindex='0']")
  if (to instanceof HTMLElement) to.focus()
}

/** Asks something before it is done. It holds the focus, and gives it back to where it was. */
export const ask = ({ act, body, does, isDanger = false, isNews = false, mayDo, title }: Asked): void => {
  const before = document.activeElement
  const said = element("div", { class: "said", is: { role: "alert" } })
  const cancel = button("Cancel", () => dialog.close())
  const go = element("button", { class: isDanger ? "danger" : "primary", is: { type: "submit" } }, does)
  const check = (): void => {
    go.disabled = mayDo?.() === false
  }
  const submit = async (): Promise<void> => {
    go.disabled = true
    fill(said)
    try {
      const kept = await act()
      if (!kept) return dialog.close()
      fill(said, kept)
    } catch (error) {
      fill(said, problemText(error))
    }
    check()
  }
  const form = element(
    "form",
    {
      on: {
        input: check,
        submit: (event) => {
          event.preventDefault()
          if (!go.disabled) void submit()
        },
      },
    },
    element("h2", {}, title),
    ...body,
    said,
    element("div", { class: "row end" }, isNews ? undefined : cancel, go),
  )
  const dialog = element("dialog", { is: { "aria-label": title } }, form)
  dialog.addEventListener("close", () => {
    dialog.remove()
    focusBack(before)
  })
  document.body.append(dialog)
  check()
  dialog.showModal()
}

/** Shows something until it is closed. */
export const tell = (title: string, ...body: ReadonlyArray<Child>): void =>
  ask({ title, body, does: "Close", isNews: true, act: () => Promise.resolve() })
