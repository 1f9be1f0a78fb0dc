/**
 * `npm start`: installs what is missing, starts the service and talks to it as three users. With OPENAI_API_KEY it
 * calls OpenAI, without it a stand-in. `--once` ends it afterwards.
 */

import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { startStandIn } from "./stand-in.js";

const here = import.meta.dirname;
if (!existsSync(`${here}/../../dist/esm`))
  execFileSync(process.execPath, [`${here}/../../build.ts`], { stdio: "inherit" });
if (!existsSync(`${here}/node_modules/openai`)) {
  execFileSync("npm", ["install", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
}

const standIn = process.env.OPENAI_API_KEY ? undefined : await startStandIn();
const environment = {
  OTEL_SERVICE_NAME: "express-chat",
  ...process.env,
  ...(standIn && { OPENAI_API_KEY: "none", OPENAI_BASE_URL: standIn.url }),
};
const service = spawn(process.execPath, ["--import", "@burnwatch/instrumentation/register", "server.js"], {
  cwd: here,
  env: { PORT: "0", ...environment },
  stdio: ["ignore", "pipe", "inherit"],
});
const url = await new Promise((resolve) => {
  service.stdout.on("data", (bytes) => {
    process.stdout.write(bytes);
    const found = /http:\S+/.exec(String(bytes));
    if (found) resolve(found[0]);
  });
});

const post = (path, user, text) =>
  fetch(`${url}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user": user },
    body: JSON.stringify({ text }),
  }).then((response) => response.text());

for (const user of ["ada", "grace", "linus"]) {
  for (let question = 1; question <= 3; question += 1) {
    process.stdout.write(`${user}: ${await post("chat", user, `Question ${question}: do I need an umbrella?`)}`);
  }
  await post("search", user, "umbrellas");
}
process.stdout.write("12 calls made. See them with: burnwatch cost --by feature,user\n");

if (process.argv.includes("--once")) {
  service.kill("SIGTERM");
  service.once("exit", () => standIn?.close());
}
