// The report as a chart: a panel of bars for each workload; shorter is better.

const width = 840
const panelWidth = 400
const barHeight = 16
const labelWidth = 160
const headHeight = 44

/** The figures in the chart: workload, figure and title. */
const drawn = /** @type {const} */ ([
  ["get", "cpu", "GET, 118 bytes: CPU µs a request"],
  ["post", "cpu", "POST, 1 KiB: CPU µs a request"],
  ["large", "cpu", "GET, 64 KiB: CPU µs a request"],
  ["events", "cpu", "200 event streams: CPU µs an event"],
  ["download", "cpu", "64 MiB down: CPU ms a GiB"],
  ["upload", "cpu", "64 MiB up: CPU ms a GiB"],
  ["ws-single", "cpu", "WebSocket echo, 64 B, one in flight: CPU µs"],
  ["ws-many", "cpu", "WebSocket echo, 64 B, 16 in flight: CPU µs"],
  ["ws-large", "cpu", "WebSocket echo, 16 KiB: CPU µs"],
  ["ws-idle", "each", "Idle WebSocket: KiB of memory"],
  ["rate", "p50Added", "1,000 requests a second: ms added to the median"],
])

/** @param {string} text */
export const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** @typedef {{ title: string, bars: Array<{ name: string, value: number, text: string }> }} Panel */

/**
 * @param {readonly import("./Figures.mjs").Section[]} sections
 * @returns {Panel[]}
 */
const panelsOf = (sections) =>
  drawn.flatMap(([workload, key, title]) => {
    const section = sections.find(({ name }) => name === workload)
    const column = section?.columns.find((column) => column.key === key)
    if (section === undefined || column === undefined) return []
    const bars = section.rows.flatMap(({ name, figures }) => {
      const value = figures[key]
      return value === undefined ? [] : [{ name, value, text: value.toFixed(column.digits) }]
    })
    bars.sort((one, other) => one.value - other.value)
    return bars.length === 0 ? [] : [{ title, bars }]
  })

/** @param {Panel} panel */
const heightOf = ({ bars }) => headHeight + bars.length * (barHeight + 4)

/**
 * @param {Panel} panel
 * @param {number} left
 * @param {number} top
 * @returns {string}
 */
const drawPanel = ({ title, bars }, left, top) => {
  const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
  const room = panelWidth - labelWidth - 60
  const lines = bars.map(({ name, value, text }, at) => {
    const y = top + 30 + at * (barHeight + 4)
    const length = Math.max(1, (value / longest) * room).toFixed(1)
    const kind = name === "ss-proxy" ? "ours" : "theirs"
    return (
      `<text class="name ${kind}" x="${left + labelWidth - 8}" y="${y + 12}">${escape(name)}</text>` +
      `<rect class="${kind}" x="${left + labelWidth}" y="${y}" width="${length}" height="${barHeight}" rx="2"/>` +
      `<text class="value" x="${left + labelWidth + Number(length) + 6}" y="${y + 12}">${text}</text>`
    )
  })
  return `<text class="title" x="${left}" y="${top + 18}">${escape(title)}</text>\n${lines.join("\n")}\n`
}

export const style = `
  text { font: 12px system-ui, sans-serif; fill: #57606a; }
  .title { font-weight: 600; fill: #24292f; }
  .name { text-anchor: end; }
  text.ours { font-weight: 600; fill: #0969da; }
  rect.ours { fill: #0969da; }
  rect.theirs { fill: #afb8c1; }
  .ground { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #8b949e; }
    .title { fill: #e6edf3; }
    text.ours { fill: #58a6ff; }
    rect.ours { fill: #58a6ff; }
    rect.theirs { fill: #484f58; }
    .ground { fill: #0d1117; }
  }
`

/**
 * An SVG document, for light and dark pages.
 *
 * @param {readonly import("./Figures.mjs").Section[]} sections
 * @param {ReturnType<typeof import("../process/Machine.mjs").machine>} machine
 * @returns {string}
 */
export const chart = (sections, machine) => {
  const panels = panelsOf(sections)
  const columns = [16, 16 + panelWidth + 16]
  const heights = [16, 16]
  const drawings = panels.map((panel) => {
    const column = (heights[0] ?? 0) <= (heights[1] ?? 0) ? 0 : 1
    const top = heights[column] ?? 0
    heights[column] = top + heightOf(panel)
    return drawPanel(panel, columns[column] ?? 0, top)
  })
  const height = Math.max(...heights) + 48
  const notes = [
    `Shorter is better. ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}.`,
    `Load by ${machine.load}, origin ${machine.origin}; pinning: ${machine.pinning}.`,
  ]
  const lines = notes.map((note, at) => `<text x="16" y="${height - 28 + at * 16}">${escape(note)}</text>\n`)
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="ss-proxy beside other proxies">\n<style>${style}</style>\n` +
    `<rect class="ground" width="${width}" height="${height}"/>\n${drawings.join("")}${lines.join("")}</svg>\n`
  )
}
