// OTLP in JSON (the specification of OpenTelemetry's protocol, "JSON Protobuf Encoding").

/** A value of an attribute. What is no text, number or truth value is told as a text. */
const valueText = (value: unknown): string => {
  if (typeof value === "string") return `{"stringValue":${JSON.stringify(value)}}`
  if (typeof value === "number" && Number.isSafeInteger(value)) return `{"intValue":${value}}`
  if (typeof value === "number" && Number.isFinite(value)) return `{"doubleValue":${value}}`
  if (typeof value === "boolean") return `{"boolValue":${value}}`
  return `{"stringValue":${JSON.stringify(String(value))}}`
}

/** Attributes, with commas between. */
export const attributesText = (attributes: ReadonlyMap<string, unknown>): string => {
  let text = ""
  attributes.forEach((value, name) => {
    text += `${text === "" ? "" : ","}{"key":${JSON.stringify(name)},"value":${valueText(value)}}`
  })
  return text
}

/** What stands before and behind the spans of a batch, which all are of one origin that has these attributes. */
export const aroundSpans = (origin: ReadonlyMap<string, unknown>): readonly [before: string, behind: string] => [
  `{"resourceSpans":[{"resource":{"attributes":[${attributesText(origin)}]},"scopeSpans":[{"scope":{"name":"ss-proxy"},"spans":[`,
  "]}]}]}",
]
