import * as Reading from "./Reading.js"
import { setting, settingOfPrograms } from "./Setting.js"

/** The listener for whoever operates the proxy. */
export const adminSettings = {
  adminSocket: setting({
    reading: Reading.socketPath,
    fallback: "auto",
    flag: { name: "admin-socket" },
    group: "Admin listener",
    help: "Unix socket of the admin listener; auto is beside the database, DB.HEX.sock, and off is none.",
    guide:
      "Unix socket of the admin listener ([ADMIN.md](ADMIN.md)). `auto` is beside the database, `sessions.db.1a2b3c.sock`; a program that embeds the proxy has none then. `off`: none.",
  }),
  adminSocketMode: setting({
    reading: Reading.ownersMode,
    fallback: 0o600,
    flag: { name: "admin-socket-mode" },
    group: "Admin listener",
    help: "Who may use that socket: 0600 the user of the proxy, 0660 its group too.",
    guide: "Who may use that socket: with `0600` the user of the proxy, with `0660` its group too.",
  }),
  adminPort: setting({
    reading: Reading.portOrOff,
    fallback: "off",
    flag: { name: "admin-port" },
    group: "Admin listener",
    help: "Port for the admin API, /metrics, /livez and /readyz; 0 takes a free one, off listens nowhere.",
    guide:
      "Port for the admin API ([ADMIN.md](ADMIN.md)), `/metrics`, `/livez` and `/readyz` ([METRICS.md](METRICS.md)); `0` takes a free one and says which, `off` listens nowhere.",
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
    help: "Names that it may be asked under, beside addresses and localhost.",
    guide:
      "Names that it may be asked under, beside addresses and `localhost`: a request with any other `Host` gets `421`.",
  }),
  metricsSessions: setting({
    reading: Reading.countUpTo(1_000),
    fallback: 0,
    flag: { name: "metrics-sessions" },
    group: "Admin listener",
    help: "So many sessions have series of their own in /metrics, which then needs a token on the port.",
    guide:
      "So many sessions have [series of their own](METRICS.md#one-session) in `/metrics`, which then needs a token on the port.",
  }),
  adminTokenFile: setting({
    reading: Reading.filePath,
    fallback: "",
    flag: { name: "admin-token-file" },
    group: "Admin listener",
    help: "File of tokens for that port, one a line; after the word read and a space, one that changes nothing.",
    guide:
      "File of tokens for that port, one a line; after `read` and a space, one that changes nothing ([ADMIN.md](ADMIN.md#tokens)). It is read again when it changes.",
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
