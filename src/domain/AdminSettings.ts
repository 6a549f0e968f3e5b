import * as Reading from "./Reading.js"
import { setting, settingOfPrograms } from "./Setting.js"

/** The listener for whoever operates the proxy. */
export const adminSettings = {
  adminSocket: setting({
    reading: Reading.socketPath,
    fallback: "auto",
    flag: { name: "admin-socket" },
    group: "Admin listener",
    help: "Unix socket of the admin listener. auto: beside the database, DB.HEX.sock. off: none.",
    guide:
      "Unix socket of the admin listener ([ADMIN.md](ADMIN.md)). `auto` is beside the database, `sessions.db.1a2b3c.sock`; a program that embeds the proxy has none then. `off`: none.",
  }),
  adminSocketMode: setting({
    reading: Reading.ownersMode,
    fallback: 0o600,
    flag: { name: "admin-socket-mode" },
    group: "Admin listener",
    help: "Who may use that socket. 0600: the user of the proxy. 0660: also its group.",
    guide: "Who may use that socket. `0600`: the user of the proxy. `0660`: also its group.",
  }),
  adminPort: setting({
    reading: Reading.portOrOff,
    fallback: "off",
    flag: { name: "admin-port" },
    group: "Admin listener",
    help: "Port for the admin API, /metrics, /livez and /readyz. 0 chooses a free one. off: no port.",
    guide:
      "Port for the admin API ([ADMIN.md](ADMIN.md)), `/metrics`, `/livez` and `/readyz` ([METRICS.md](METRICS.md)); `0` chooses a free one and prints it. `off`: no port.",
  }),
  adminHost: setting({
    reading: Reading.hostName,
    fallback: "127.0.0.1",
    flag: { name: "admin-host" },
    group: "Admin listener",
    help: "Address for --admin-port.",
    guide: "Address for `--admin-port`.",
  }),
  adminHosts: setting({
    reading: Reading.hostNames,
    fallback: [],
    flag: { name: "admin-hosts" },
    group: "Admin listener",
    help: "Host names under which the admin port answers, besides addresses and localhost.",
    guide:
      "Host names under which the admin port answers, besides addresses and `localhost`. A request with any other `Host` gets `421`.",
  }),
  metricsSessions: setting({
    reading: Reading.countUpTo(1_000),
    fallback: 0,
    flag: { name: "metrics-sessions" },
    group: "Admin listener",
    help: "How many sessions have series of their own in /metrics, which then needs a token on the port.",
    guide:
      "How many sessions have [series of their own](METRICS.md#one-session) in `/metrics`, which then needs a token on the port.",
  }),
  adminTokenFile: setting({
    reading: Reading.filePath,
    fallback: "",
    flag: { name: "admin-token-file" },
    group: "Admin listener",
    help: "File of tokens for the admin port, one on each line. A token behind the word read may only read.",
    guide:
      "File of tokens for the admin port, one on each line. A token after `read` and a space may only read ([ADMIN.md](ADMIN.md#tokens)). The file is read again when it changes.",
  }),
  adminToken: settingOfPrograms({
    reading: Reading.token,
    fallback: "",
    group: "Admin listener",
    help: "A token for that port.",
    guide:
      "A token for the port of the admin listener ([ADMIN.md](ADMIN.md#tokens)); the same as the variable `SS_PROXY_ADMIN_TOKEN`.",
    isSecret: true,
  }),
  adminReadToken: settingOfPrograms({
    reading: Reading.token,
    fallback: "",
    group: "Admin listener",
    help: "A token for that port that changes nothing.",
    guide: "A token for that port that changes nothing; the same as the variable `SS_PROXY_ADMIN_READ_TOKEN`.",
    isSecret: true,
  }),
}
