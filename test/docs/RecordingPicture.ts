import type { RecordedCommand } from "./Recording.js"

/** Pixels. A column is as wide as `textLength` makes each character, whatever font there is. */
const column = 7.5
const row = 18
const gap = 9
const margin = 20
const bar = 30
const top = 52
const columns = 96

/** Milliseconds. */
const beforeFirst = 700
const perCharacter = 16
const beforeRun = 250
const afterOutput = 1_100
const atEnd = 6_000

const textWidth = columns * column
const width = textWidth + 2 * margin

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const unescaped = (text: string): string =>
  text.replaceAll("&quot;", '"').replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&amp;", "&")

/** A line on the screen. */
interface ScreenLine {
  readonly kind: "command" | "output"
  /** `$`, or `>` where a command goes on; empty for output. */
  readonly prompt: string
  readonly text: string
  /** Its base line. */
  readonly y: number
  /** When it is there, in milliseconds; of a command, its prompt. */
  readonly at: number
  /** When a command is typed. */
  readonly from: number
  readonly until: number
}

/** All lines, how far down they go, and how long the whole takes. */
const screenOf = (commands: ReadonlyArray<RecordedCommand>) => {
  const lines: Array<ScreenLine> = []
  let time = beforeFirst
  let y = top
  const add = (line: Omit<ScreenLine, "y">) => {
    if (line.text !== "") lines.push({ ...line, y })
    y += row
  }
  commands.forEach(({ lines: command, printed }, index) => {
    if (index > 0) y += gap
    command.forEach((text, number) => {
      const until = time + text.length * perCharacter
      const isFirst = index === 0 && number === 0
      add({ kind: "command", prompt: number === 0 ? "$ " : "> ", text, at: isFirst ? 0 : time, from: time, until })
      time = until + beforeRun
    })
    const entered = time
    for (const { at, text } of printed) {
      time = Math.round(entered + at)
      add({ kind: "output", prompt: "", text, at: time, from: time, until: time })
    }
    time += afterOutput
  })
  return { lines, bottom: y - row, total: time - afterOutput + atEnd }
}

const textElement = (x: number, y: number, kind: string, text: string): string =>
  `<text class="${kind}" x="${x}" y="${y}" textLength="${(text.length * column).toFixed(1)}">${escaped(text)}</text>`

/** Whatever tells the reader something, in another colour. */
const telling = /(&quot;content&quot;:)(&quot;[^&]+&quot;)|(&quot;status&quot;:)(\d+)/g
const coloured = (element: string): string =>
  element.replace(telling, (_, a = "", b = "", c = "", d = "") => `${a}${c}<tspan class="told">${b}${d}</tspan>`)

const drawLine = ({ kind, prompt, text, y }: ScreenLine, index: number): string => {
  if (kind === "output")
    return `<g class="line" style="animation-name:l${index}">${coloured(textElement(margin, y, kind, text))}</g>`
  const x = margin + prompt.length * column
  const screen = `<rect class="screen" x="${x}" y="${y - 13}" width="${textWidth}" height="${row}"/>`
  const cursor = `<rect class="cursor" x="${x}" y="${y - 12}" width="${column}" height="15"/>`
  return [
    `<g class="line" style="animation-name:l${index}">`,
    textElement(margin, y, "prompt", prompt.trimEnd()),
    textElement(x, y, kind, text),
    `<g class="cover" style="animation-name:c${index}">${screen}${cursor}</g></g>`,
  ].join("")
}

/** When a line is there, and how what covers a command moves away from it, one character after another. */
const moveLine = ({ at, from, kind, text, until }: ScreenLine, index: number, total: number): string => {
  const share = (time: number) => `${((time / total) * 100).toFixed(3)}%`
  const appears = at === 0 ? "" : `@keyframes l${index}{0%{opacity:0}${share(at)}{opacity:1}}`
  if (kind === "output") return appears
  const moved = `transform:translateX(${text.length * column}px)`
  const steps = `animation-timing-function:steps(${text.length})`
  return [
    appears,
    `@keyframes c${index}{0%{opacity:1}${share(from)}{opacity:1;transform:none;${steps}}`,
    `${share(until)}{opacity:1;${moved}}${share(until + 1)},100%{opacity:0;${moved}}}`,
  ].join("")
}

const styleOf = (lines: ReadonlyArray<ScreenLine>, total: number): string => `<style>
text{font:12.5px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}
.command{fill:#e6edf3}.output{fill:#9aa7b4}.prompt{fill:#7ee787}.told{fill:#79c0ff}
.screen{fill:#0d1117}.frame{fill:#0d1117;stroke:#30363d}.bar{fill:#161b22}.title{fill:#8b949e}.cursor{fill:#7ee787}
.cover{opacity:0}
.line,.cover{animation-duration:${(total / 1000).toFixed(1)}s;animation-iteration-count:infinite}
.line{animation-timing-function:step-end}
.cover{animation-timing-function:linear}
${lines
  .map((line, index) => moveLine(line, index, total))
  .filter(Boolean)
  .join("\n")}
@media (prefers-reduced-motion:reduce){.line,.cover{animation:none!important}}
</style>`

const label =
  "A terminal: a streamed completion comes word by word; a session is added and asked; its row is deleted, and the next request gets 404."

/** The window around the lines: its frame, its bar, and the part that lines are drawn in. */
const windowOf = (height: number): string =>
  [
    `<rect class="frame" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    `<path class="bar" d="M1 ${bar} V8.5 A7.5 7.5 0 0 1 8.5 1 H${width - 8.5} A7.5 7.5 0 0 1 ${width - 1} 8.5 V${bar} z"/>`,
    '<circle cx="20" cy="16" r="5" fill="#f47067"/>',
    '<circle cx="38" cy="16" r="5" fill="#e0b341"/>',
    '<circle cx="56" cy="16" r="5" fill="#57ab5a"/>',
    `<text class="title" x="${width / 2}" y="20" text-anchor="middle">ss-proxy</text>`,
    `<clipPath id="inside"><rect x="1" y="${bar}" width="${width - 2}" height="${height - bar - 8}"/></clipPath>`,
  ].join("\n")

/** A picture that moves. Without its animation it shows the last moment. */
export const drawRecording = (commands: ReadonlyArray<RecordedCommand>): string => {
  const { bottom, lines, total } = screenOf(commands)
  const height = bottom + margin + 2
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}">
${styleOf(lines, total)}
${windowOf(height)}
<g clip-path="url(#inside)">
${lines.map(drawLine).join("\n")}
</g>
</svg>
`
}

const texts = (svg: string, kind: string): ReadonlyArray<string> =>
  [...svg.matchAll(new RegExp(`<text class="${kind}"[^>]*>(.*?)</text>`, "g"))].map(([, text = ""]) =>
    unescaped(text.replaceAll(/<\/?tspan[^>]*>/g, "")),
  )

/** The lines of commands in such a picture. */
export const commandLinesIn = (svg: string): ReadonlyArray<string> => texts(svg, "command")

/** The lines of output in it, without those that are empty. */
export const outputLinesIn = (svg: string): ReadonlyArray<string> => texts(svg, "output")
