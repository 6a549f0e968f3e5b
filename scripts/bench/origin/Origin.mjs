// The servers behind the proxies, in processes of their own.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Child, freePort, untilListening } from "../process/Child.mjs"
import { programs } from "../process/Machine.mjs"
import { answers } from "./Answers.mjs"

/** `plain` answers small requests as cheaply as it can; `streams` does the rest. */
/** @typedef {"plain" | "streams"} OriginKind */

/** @typedef {{ child: Child, port: number }} Origin */

/** @returns {Promise<Origin>} */
const startNode = async () => {
  const child = new Child([process.execPath, fileURLToPath(new URL("NodeOrigin.mjs", import.meta.url))], "rest")
  return { child, port: Number(await child.line("listening", 10_000)) }
}

/**
 * @param {number} port
 * @param {string} folder
 */
const nginxConfig = (port, folder) => `
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/origin.pid;
error_log stderr crit;
events { worker_connections 19000; multi_accept on; }
http {
  access_log off;
  default_type application/json;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 64k;
  open_file_cache max=16;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path ${folder}/origin-body;
  proxy_temp_path ${folder}/origin-proxy;
  fastcgi_temp_path ${folder}/origin-fastcgi;
  uwsgi_temp_path ${folder}/origin-uwsgi;
  scgi_temp_path ${folder}/origin-scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { return 200 '${answers.small}'; }
    location ~ /large$ { root ${folder}; try_files /large.txt =404; }
  }
}
`

/**
 * @param {string} nginx
 * @param {string} folder for its files
 * @returns {Promise<Origin>}
 */
const startNginx = async (nginx, folder) => {
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "large.txt"), answers.large)
  writeFileSync(join(folder, "origin.conf"), nginxConfig(port, folder))
  const child = new Child([nginx, "-p", folder, "-e", "stderr", "-c", join(folder, "origin.conf")], "rest")
  await untilListening(child, port, 10_000)
  return { child, port }
}

/**
 * @param {OriginKind} kind
 * @param {string} folder
 * @returns {Promise<Origin>}
 */
export const startOrigin = (kind, folder) =>
  kind === "plain" && programs.nginx !== undefined ? startNginx(programs.nginx, folder) : startNode()
