import { createHash } from "node:crypto"
import type { AdminAnswer } from "../AdminAnswer.js"

// A page for people about all calls of the API, made from what describes them for programs. It has no script.

/** What of a JSON schema the descriptions of this API use. */
interface Schema {
  readonly $ref?: string
  readonly anyOf?: ReadonlyArray<Schema>
  readonly enum?: ReadonlyArray<unknown>
  readonly type?: string
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: ReadonlyArray<string>
  readonly description?: string
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>

interface Parameter {
  readonly name: string
  readonly in: string
  readonly schema: Schema
  readonly required: boolean
  readonly description?: string
}

interface Operation {
  readonly parameters: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
  readonly description?: string
}

/** OpenAPI 3.1, as far as it is read here. */
interface Description {
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
const text = (plain: string): string => plain.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? character)

const tag = (name: string, content: string, attributes = ""): string => `<${name}${attributes}>${content}</${name}>`
const row = (cells: ReadonlyArray<string>): string => tag("tr", cells.map((cell) => tag("td", cell)).join(""))
const table = (rows: ReadonlyArray<string>): string => (rows.length === 0 ? "" : tag("table", rows.join("")))

const refName = (ref: string): string => decodeURIComponent(ref.replace("#/components/schemas/", ""))

const isRequired = ({ required = [] }: Schema, name: string): boolean => required.includes(name)

/** What a value may be, in a line of HTML. */
const typeOf = (schema: Schema): string => {
  const { $ref, anyOf, enum: values, items, properties, type } = schema
  if ($ref !== undefined) {
    const name = text(refName($ref))
    return tag("a", name, ` href="#schema-${name}"`)
  }
  if (anyOf !== undefined) return anyOf.map(typeOf).join(" | ")
  if (values !== undefined) return values.map((value) => text(JSON.stringify(value))).join(" | ")
  if (type === "array") return `list of ${items === undefined ? "anything" : typeOf(items)}`
  if (properties === undefined) return type ?? "anything"
  const inside = Object.entries(properties).map(
    ([name, property]) => `${text(name)}${isRequired(schema, name) ? "" : "?"}: ${typeOf(property)}`,
  )
  return `{ ${inside.join(", ")} }`
}

/** The fields of an object, a row each; the type alone of anything else. */
const shapeOf = (schema: Schema): string => {
  if (schema.properties === undefined) return tag("p", typeOf(schema))
  const rows = Object.entries(schema.properties).map(([name, property]) => {
    const often = isRequired(schema, name) ? "" : "optional"
    return row([tag("code", text(name)), often, typeOf(property), text(property.description ?? "")])
  })
  return table(rows)
}

const bodiesOf = (content: Content = {}): string =>
  Object.entries(content)
    .map(
      ([type, { schema }]) =>
        `${type === "application/json" ? "" : tag("p", tag("code", text(type)))}${shapeOf(schema)}`,
    )
    .join("")

const answersOf = (responses: Operation["responses"]): string =>
  Object.entries(responses)
    .filter(([status]) => Number(status) < 400)
    .map(([status, { content }]) => tag("h4", `Answer ${status}`) + bodiesOf(content))
    .join("")

const parametersOf = (parameters: ReadonlyArray<Parameter>): string =>
  table(
    parameters.map(({ description = "", in: place, name, required, schema }) =>
      row([tag("code", text(name)), `${place}${required ? "" : ", optional"}`, typeOf(schema), text(description)]),
    ),
  )

interface Call {
  readonly name: string
  readonly operation: Operation
}

const callsOf = (spec: Description): ReadonlyArray<Call> =>
  Object.entries(spec.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  )

const anchorOf = (name: string): string => text(name.replaceAll(/[^A-Za-z0-9]+/g, "-"))

const callSection = ({ name, operation }: Call): string =>
  tag(
    "section",
    tag("h3", tag("code", text(name)), ` id="${anchorOf(name)}"`) +
      (operation.description === undefined ? "" : tag("p", text(operation.description))) +
      parametersOf(operation.parameters) +
      (operation.requestBody === undefined ? "" : tag("h4", "Body") + bodiesOf(operation.requestBody.content)) +
      answersOf(operation.responses),
  )

const style = `:root{color-scheme:light dark}
body{max-width:960px;margin:0 auto;padding:24px 16px 80px;font:14px/1.5 system-ui,sans-serif}
h1{font-size:22px}h2{margin-top:40px;font-size:18px}h3{margin:28px 0 6px;font-size:15px}h4{margin:10px 0 2px;font-size:13px}
p{margin:4px 0;overflow-wrap:anywhere}code{font-family:ui-monospace,monospace;font-size:13px}
table{width:100%;border-collapse:collapse}td{padding:3px 12px 3px 0;border-top:1px solid #8884;vertical-align:top;overflow-wrap:anywhere}
td:first-child{width:22%}td:nth-child(2){width:14%;opacity:.75}ul{padding-left:18px;columns:2}a{color:LinkText;text-decoration:none}`

const policy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const intro = `Every call needs a token: <code>Authorization: Bearer TOKEN</code>; on the admin socket none. Times are RFC 3339 in UTC,
durations such as <code>30s</code> or <code>15m</code>. Errors of every call are <code>application/problem+json</code>:
<a href="#schema-Problem">Problem</a>. <a href="/openapi.json">The same for programs.</a>`

/** The whole page. `description`: OpenAPI, as JSON. */
export const referencePage = (description: string): AdminAnswer => {
  const spec: Description = JSON.parse(description)
  const calls = callsOf(spec)
  const list = calls.map(({ name }) => tag("li", tag("a", tag("code", text(name)), ` href="#${anchorOf(name)}"`)))
  const schemas = Object.entries(spec.components.schemas).map(([name, schema]) =>
    tag("section", tag("h3", text(name), ` id="schema-${text(name)}"`) + shapeOf(schema)),
  )
  const title = text(`${spec.info.title} ${spec.info.version}`)
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">${tag("title", title)}${tag("style", style)}`
  const parts = [
    tag("h1", title),
    tag("p", intro),
    tag("ul", list.join("")),
    tag("h2", "Calls"),
    ...calls.map(callSection),
  ]
  const body = [...parts, tag("h2", "Shapes"), ...schemas].join("\n")
  return {
    status: 200,
    type: "text/html; charset=utf-8",
    body: `<!doctype html>\n${tag("html", tag("head", head) + tag("body", body), ' lang="en"')}\n`,
    fields: [
      ["Content-Security-Policy", policy],
      ["Referrer-Policy", "no-referrer"],
    ],
  }
}
