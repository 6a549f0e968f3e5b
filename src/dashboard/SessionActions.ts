import { Problem, sessionPath } from "./Api.js"
import { ask } from "./Dialog.js"
import { element, field, input } from "./Element.js"
import { milliseconds } from "./Format.js"
import type { LiveCounts, Session } from "./Shapes.js"
import type { Shared } from "./View.js"

// What can be done to a session. Each asks first, and says how it went.

/** From so many live things on, the id has to be typed. */
const manyLive = 10

/** Fields of a session that are no policies. */
const ownFields = new Set([
  "id",
  "url",
  "status",
  "forwards",
  "created_at",
  "updated_at",
  "draining_until",
  "health",
  "live",
  "activity",
])

/** A policy, and its value as far as a field can hold one. */
type PolicyValue = string | number | boolean | null

/** The policies of a session that can be changed here, in the order of their columns. */
export const policiesOf = (session: Session): ReadonlyArray<readonly [name: string, value: PolicyValue]> =>
  Object.entries(session).flatMap(([name, value]) =>
    !ownFields.has(name) && (value === null || ["string", "number", "boolean"].includes(typeof value))
      ? [[name, scalarOf(value)] as const]
      : [],
  )

const scalarOf = (value: unknown): PolicyValue =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null

const liveOf = ({ requests, streams, websockets }: LiveCounts): number => requests + streams + websockets

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

const liveText = (live: LiveCounts): string =>
  [plural(live.requests, "request"), plural(live.streams, "stream"), plural(live.websockets, "WebSocket")].join(", ")

/** What stands in place of a secret. */
const hidden = "***"
const hiddenHint = "Values are not shown. To change one, write all of them."

/** The store writes it, beside set_fields. */
const isWritten = (name: string): boolean => name !== "set_fields_url"

/** A field for one policy, and what it holds now. */
const policyField = (name: string, value: PolicyValue) => {
  if (typeof value === "boolean") {
    const box = element("input", { is: { type: "checkbox" } })
    box.checked = value
    return { node: element("label", { class: "check" }, box, name), read: (): PolicyValue => box.checked }
  }
  const text = input(value === null ? "" : String(value), { placeholder: "as the proxy's settings say" })
  const read = (): PolicyValue => {
    if (text.value === "") return null
    return typeof value === "number" ? Number(text.value) : text.value
  }
  return { node: field(name, text, String(value).includes(hidden) ? hiddenHint : undefined), read }
}

export const addSession = ({ api, say }: Shared, added: (id: string) => void): void => {
  const id = input("", { required: "", maxlength: "4096" })
  const url = input("", { required: "", placeholder: "http://10.0.0.7:9000", inputmode: "url" })
  const status = input("active")
  ask({
    title: "Add a session",
    body: [
      field("Id", id, "The first part of the path: /ID/…"),
      field("URL of its server", url),
      field("Status", status, "active, online and ready forward requests; any other word answers 503."),
    ],
    does: "Add",
    mayDo: () => id.value !== "" && url.value !== "",
    act: async () => {
      const body = { url: url.value, status: status.value }
      await api
        .change(sessionPath(id.value), { method: "PUT", body, fields: { "If-None-Match": "*" } })
        .catch((error) => {
          if (error instanceof Problem && error.status === 412)
            throw new Problem(412, error.code, "There is a session with this id already.")
          throw error
        })
      say(`Added ${id.value}.`)
      added(id.value)
    },
  })
}

/** What others changed meanwhile: the fields, as they were and as they are. */
const changesBetween = (before: Session, now: Session): ReadonlyArray<string> =>
  ["url", "status", ...policiesOf(now).map(([name]) => name)]
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name}: ${String(before[name])} → ${String(now[name])}`)

export const editSession = async ({ api, say }: Shared, id: string, changed: () => void): Promise<void> => {
  let { etag, value: known } = await api.tagged<Session>(sessionPath(id))
  const [shownUrl, shownStatus] = [known.url, known.status]
  const url = input(shownUrl, { required: "", inputmode: "url" })
  const status = input(shownStatus)
  const own = policiesOf(known).filter(([name]) => isWritten(name))
  const policies = own.map(([name, value]) => ({ name, value, ...policyField(name, value) }))
  /** Only what was changed here: what is shown of a URL is not all of it. */
  const patch = (): Record<string, PolicyValue> => ({
    ...(url.value !== shownUrl && { url: url.value }),
    ...(status.value !== shownStatus && { status: status.value }),
    ...Object.fromEntries(policies.flatMap(({ name, read, value }) => (read() === value ? [] : [[name, read()]]))),
  })
  const send = async (): Promise<HTMLElement | undefined> => {
    try {
      const type = "application/merge-patch+json"
      await api.change(sessionPath(id), {
        method: "PATCH",
        body: patch(),
        type,
        fields: { ...(etag && { "If-Match": etag }) },
      })
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error
      const now = await api.tagged<Session>(sessionPath(id))
      const changes = changesBetween(known, now.value)
      ;({ etag, value: known } = now)
      const lines = changes.map((text) => element("li", { class: "mono" }, text))
      const note = "Somebody else has changed it meanwhile. Save again to keep that, and your own changes above."
      return element("div", {}, note, element("ul", {}, ...lines))
    }
    say(`Saved ${id}.`)
    changed()
    return undefined
  }
  ask({
    title: `Edit ${id}`,
    body: [
      field(
        "URL of its server",
        url,
        "User info of a URL is not shown. It stays unless you change the URL. For another URL, write set_fields again.",
      ),
      field("Status", status, "active, online and ready forward requests; any other word answers 503."),
      ...policies.map(({ node }) => node),
    ],
    does: "Save",
    mayDo: () => url.value !== "" && Object.keys(patch()).length > 0,
    act: send,
  })
}

export const drainSession = ({ api, say }: Shared, id: string, changed: () => void): void => {
  const grace = input("30s", { placeholder: "30s" })
  ask({
    title: `Drain ${id}?`,
    body: [
      element(
        "p",
        {},
        "New requests are answered with 503. What is under way may go on for this long; then it is cut.",
      ),
      field("Time", grace, "Such as 30s, 15m or 2h."),
    ],
    does: "Drain",
    act: async () => {
      await api.change(sessionPath(id, "/drain"), { method: "POST", body: { grace: grace.value } })
      say(`${id} drains.`)
      changed()
    },
  })
}

export const resumeSession = async ({ api, say }: Shared, id: string, changed: () => void): Promise<void> => {
  await api.change(sessionPath(id, "/drain"), { method: "DELETE" })
  say(`${id} takes requests again.`)
  changed()
}

/** The field into which the id is typed, where much would end. */
const confirmation = (id: string, live: number) => {
  const typed = input("", { "aria-label": "Type the id" })
  return live > manyLive
    ? { nodes: [field(`${live} live things end. Type the id to go on`, typed)], isGiven: () => typed.value === id }
    : { nodes: [], isGiven: () => true }
}

export const killSession = async ({ api, say }: Shared, id: string, changed: () => void): Promise<void> => {
  const { live } = await api.get<Session>(sessionPath(id))
  const code = input("1001", { inputmode: "numeric", pattern: "[0-9]{4}" })
  const reason = input("", { maxlength: "100" })
  const { isGiven, nodes } = confirmation(id, live === undefined ? 0 : liveOf(live))
  ask({
    title: `Kill what is live on ${id}?`,
    body: [
      element("p", {}, live === undefined ? "What is live on it ends." : `Live now: ${liveText(live)}.`),
      element("p", { class: "dim" }, "The session stays, and takes the next request."),
      element("div", { class: "row" }, field("Close code", code), field("Reason", reason)),
      ...nodes,
    ],
    does: "Kill",
    isDanger: true,
    mayDo: isGiven,
    act: async () => {
      const body = { code: Number(code.value), ...(reason.value !== "" && { reason: reason.value }) }
      const { value } = await api.tagged<LiveCounts>(sessionPath(id, "/kill"), { method: "POST", body })
      say(`Killed on ${id}: ${liveText(value)}.`)
      changed()
    },
  })
}

export const removeSession = async ({ api, say }: Shared, id: string, removed: () => void): Promise<void> => {
  const { etag, value } = await api.tagged<Session>(sessionPath(id))
  const { isGiven, nodes } = confirmation(id, value.live === undefined ? 0 : liveOf(value.live))
  ask({
    title: `Remove ${id}?`,
    body: [
      element("p", {}, "Its row goes, what is live on it ends, and requests for it are answered with 404."),
      element("p", { class: "mono" }, value.url),
      ...nodes,
    ],
    does: "Remove",
    isDanger: true,
    mayDo: isGiven,
    act: async () => {
      await api.change(sessionPath(id), { method: "DELETE", fields: { ...(etag && { "If-Match": etag }) } })
      say(`Removed ${id}.`)
      removed()
    },
  })
}

/** Ends one thing that is under way. */
export const cutLive = (
  { api, say }: Shared,
  live: { readonly id: string; readonly kind: string; readonly session: string; readonly age_ms: number },
  done: () => void,
): void =>
  ask({
    title: `End this ${live.kind === "websocket" ? "WebSocket" : live.kind}?`,
    body: [
      element("p", {}, `Of ${live.session}, open for ${milliseconds(live.age_ms)}. `, element("code", {}, live.id)),
    ],
    does: "End it",
    isDanger: true,
    act: async () => {
      await api.change(`/v1/live/${encodeURIComponent(live.id)}`, { method: "DELETE" })
      say("It is ended.")
      done()
    },
  })
