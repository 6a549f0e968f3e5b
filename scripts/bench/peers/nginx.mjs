import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { programs } from "../process/Machine.mjs"

/**
 * @param {number} port
 * @param {string} origin
 * @param {string} folder
 */
const config = (port, origin, folder) => `
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr crit;
events { worker_connections 19000; multi_accept on; }
http {
  access_log off;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream origin {
    server ${new URL(origin).host};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_read_timeout 1h;
    location / { proxy_pass http://origin; }
    location ~ /events$ { proxy_pass http://origin; proxy_buffering off; }
    location /ws/ {
      proxy_pass http://origin;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }
  }
}
`

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "nginx, one worker, keep-alive upstream",
  webSockets: true,
  command: ({ port, origin, folder }) => {
    if (programs.nginx === undefined) return undefined
    mkdirSync(folder, { recursive: true })
    const file = join(folder, "nginx.conf")
    writeFileSync(file, config(port, origin, folder))
    return [programs.nginx, "-p", folder, "-e", "stderr", "-c", file]
  },
}
