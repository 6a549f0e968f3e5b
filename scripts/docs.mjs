// Writes the generated parts of the documents. Tests fail if one of them is out of date.
//
// - settings: the tables in docs/CONFIGURATION.md and docs/LIBRARY.md
// - policies: the tables in docs/CONFIGURATION.md and docs/DATABASE.md
// - errors: docs/ERRORS.md
// - causes of errors, for the dashboard: src/dashboard/Causes.json
// - the API: docs/openapi.json
// - metrics: docs/METRICS.md
// - speed: the tables in README.md, README.zh.md and docs/PERFORMANCE.md, from scripts/bench/figures.json
// - help: the expected help texts in test/cli/help
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./setup.mjs"
import { importSources } from "./sources.mjs"

const generators = ["ApiDescription", "ErrorReference", "HelpTexts", "MetricsReference", "SettingTables", "SpeedTables"]
const {
  apiDescription,
  causesOfPage,
  errorsDocument,
  helpTexts,
  metricsDocument,
  withFigures,
  withFlagTables,
  withPolicyTable,
  withSettingTable,
} = await importSources(generators.map((name) => `test/docs/${name}.ts`))
const figures = readFileSync(join(root, "scripts", "bench", "figures.json"), "utf8")

const rewrite = (document, ...changes) => {
  const path = join(root, document)
  writeFileSync(
    path,
    changes.reduce((text, change) => change(text), readFileSync(path, "utf8")),
  )
}

writeFileSync(join(root, "docs", "ERRORS.md"), errorsDocument())
writeFileSync(join(root, "src", "dashboard", "Causes.json"), causesOfPage())
writeFileSync(join(root, "docs", "openapi.json"), apiDescription())
writeFileSync(join(root, "docs", "METRICS.md"), metricsDocument())
for (const document of ["README.md", "README.zh.md", "docs/PERFORMANCE.md"])
  rewrite(document, (text) => withFigures(text, figures))
rewrite("docs/CONFIGURATION.md", withFlagTables)
rewrite("docs/LIBRARY.md", withSettingTable)
rewrite("docs/DATABASE.md", withPolicyTable)
for (const [file, text] of helpTexts()) writeFileSync(join(root, "test", "cli", "help", file), text)
