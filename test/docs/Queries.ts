import { buildInfo, metrics } from "../../src/telemetry/Catalogue.js"

/** Labels that a metric has, and those that Prometheus adds. */
const labelsByName = new Map<string, ReadonlySet<string>>()
const [added, perProcess] = [["job", "instance"], ["worker"]]
for (const { dimensions, merge, name, type } of metrics) {
  const own = dimensions.flatMap(({ labels }) => labels)
  const labels = [...own, ...added, ...(merge === "each" ? perProcess : [])]
  if (type !== "histogram") labelsByName.set(name, new Set(labels))
  else for (const suffix of ["_sum", "_count"]) labelsByName.set(name + suffix, new Set(labels))
  if (type === "histogram") labelsByName.set(`${name}_bucket`, new Set([...labels, "le"]))
}
labelsByName.set(buildInfo.name, new Set([...buildInfo.labels, ...added, ...perProcess]))

/** The metrics that a query names. */
export const namesIn = (query: string): ReadonlyArray<string> => query.match(/\b(?:ss_proxy|process|nodejs)_\w+/g) ?? []

const labelsIn = (query: string): ReadonlyArray<string> => {
  const matched = [...query.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, name = ""]) => name)
  const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = ""]) => names.split(/,\s*/))
  return [...matched, ...grouped].filter((name) => name !== "")
}

/** What a query names that is no metric of the catalogue, or no label of one. */
export const strangersIn = (query: string): ReadonlyArray<string> =>
  namesIn(query).flatMap((name) => {
    const labels = labelsByName.get(name)
    return labels === undefined ? [name] : labelsIn(query).filter((label) => !labels.has(label))
  })
