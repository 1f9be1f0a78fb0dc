/** Exporters in a process of their own, so that their CPU is told apart from the server's. */

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromExporters, SendOptions, Sent, ToExporters } from "./exporter-protocol.ts";
import type { BodiesOptions } from "./payload.ts";

const script = fileURLToPath(new URL("exporters.ts", import.meta.url));

export interface Exporters {
  /** Makes the bodies to be sent. @returns their bytes on the wire. */
  prepare(bodies: BodiesOptions): Promise<number>;
  /** Sends bodies, each once; resolves when the last one is acknowledged. */
  send(options: SendOptions): Promise<Sent>;
  stop(): void;
}

export function startExporters(): Exporters {
  const child = fork(script);
  const ask = (message: ToExporters) =>
    new Promise<FromExporters>((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the exporters ended with code ${code}`));
      child.once("exit", ended);
      child.once("message", (answer) => {
        child.off("exit", ended);
        resolve(answer as FromExporters);
      });
      child.send(message);
    });
  return {
    async prepare(bodies) {
      const answer = await ask({ kind: "prepare", bodies });
      if (answer.kind !== "prepared") throw new Error(`the exporters answered ${answer.kind}`);
      return answer.wireBytes;
    },
    async send(options) {
      const answer = await ask({ kind: "send", options });
      if (answer.kind !== "sent") throw new Error(`the exporters answered ${answer.kind}`);
      return answer.sent;
    },
    stop: () => void child.kill(),
  };
}
