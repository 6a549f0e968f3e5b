// The report as text.

/**
 * Aligned columns: the first to the left, the others to the right.
 *
 * @param {readonly (readonly string[])[]} rows
 * @returns {string}
 */
export const columns = (rows) => {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows
    .map((row) =>
      row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join("  "),
    )
    .map((line) => `  ${line.trimEnd()}\n`)
    .join("")
}

/**
 * @param {import("./Figures.mjs").Section} section
 * @returns {string}
 */
export const sectionText = ({ title, columns: shown, rows }) => {
  const measured = rows.filter(({ leftOut }) => leftOut === undefined)
  const lines = measured.map(({ name, figures }) => [
    name,
    ...shown.map(({ key, digits }) => figures[key]?.toFixed(digits) ?? "-"),
  ])
  const missing = rows.filter(({ leftOut }) => leftOut !== undefined)
  return [
    `\n${title}\n`,
    lines.length === 0 ? "" : columns([["", ...shown.map((column) => column.title)], ...lines]),
    ...missing.map(({ name, leftOut }) => `  ${name} is left out: ${leftOut}\n`),
  ].join("")
}

/**
 * @param {readonly import("./Verdicts.mjs").Verdict[]} verdicts
 * @returns {string}
 */
export const verdictText = (verdicts) =>
  verdicts.length === 0
    ? ""
    : `\nTargets (a ratio is the median of the rounds')\n${columns([
        ["", "against", "is", "target", "verdict"],
        ...verdicts.map(({ workload, title, against, value, is, limit, isKept }) => [
          `${workload}: ${title}`,
          against ?? "-",
          value.toFixed(2),
          `${{ "at most": "<=", "at least": ">=", below: "<" }[is]} ${limit}`,
          isKept ? "kept" : "MISSED",
        ]),
      ])}`
