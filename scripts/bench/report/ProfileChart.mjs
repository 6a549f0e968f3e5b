// A chart of the time of a request: a bar for each part, the longest first.
import { escape, style } from "./Chart.mjs"

const width = 720
const labelWidth = 330
const barHeight = 16
const headHeight = 40

/**
 * An SVG document, for light and dark pages.
 *
 * @param {string} what the request that was profiled
 * @param {ReadonlyArray<{ name: string, share: number }>} shares of all, from 0 to 1
 * @param {ReturnType<typeof import("../process/Machine.mjs").machine>} machine
 * @returns {string}
 */
export const profileChart = (what, shares, machine) => {
  const longest = Math.max(...shares.map(({ share }) => share), Number.MIN_VALUE)
  const room = width - labelWidth - 80
  const bars = shares.map(({ name, share }, at) => {
    const y = headHeight + at * (barHeight + 4)
    const length = Math.max(1, (share / longest) * room)
    return (
      `<text class="name" x="${labelWidth - 8}" y="${y + 12}">${escape(name)}</text>` +
      `<rect class="ours" x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2"/>` +
      `<text class="value" x="${(labelWidth + length + 6).toFixed(1)}" y="${y + 12}">${(share * 100).toFixed(1)} %</text>`
    )
  })
  const height = headHeight + shares.length * (barHeight + 4) + 36
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="Where the CPU time of a ${what} goes">\n<style>${style}</style>\n` +
    `<rect class="ground" width="${width}" height="${height}"/>\n` +
    `<text class="title" x="16" y="24">Where the CPU time of a ${what} goes</text>\n${bars.join("\n")}\n` +
    `<text x="16" y="${height - 12}">${escape(`${machine.cpu}, Node ${machine.node}, sampled every 0.2 ms.`)}</text>\n</svg>\n`
  )
}
