/** The process of the exporters: makes bodies beforehand, then sends them from many connections. Started by `load.ts`. */

import { Agent, type IncomingMessage, request } from "node:http";
import type { FromExporters, SendOptions, Sent, ToExporters } from "./exporter-protocol.ts";
import { openGrpc, type Posted } from "./grpc-post.ts";
import { type BodiesOptions, payloadBodies, payloadHeaders } from "./payload.ts";
import { clockUs } from "./process-stats.ts";

const triesMax = 100;

let prepared: { readonly options: BodiesOptions; readonly bodies: readonly Buffer[] } | undefined;

process.on("message", (message: ToExporters) => {
  if (message.kind === "prepare") {
    const bodies = payloadBodies(message.bodies);
    prepared = { options: message.bodies, bodies };
    tell({ kind: "prepared", wireBytes: bodies.reduce((sum, { length }) => sum + length, 0) });
  } else {
    void send(message.options).then((sent) => tell({ kind: "sent", sent }));
  }
});

// Whoever started it is gone.
process.on("disconnect", () => process.exit(0));

function tell(message: FromExporters): void {
  process.send?.(message);
}

async function send({ url, protocol, exporters, spansPerSecond, from, to }: SendOptions): Promise<Sent> {
  if (prepared === undefined) throw new Error("nothing is prepared to be sent");
  const { options, bodies } = prepared;
  const agent = new Agent({ keepAlive: true, maxSockets: exporters });
  const headers = payloadHeaders[options.format];
  const latenciesMs: number[] = [];
  let [next, repeats] = [from, 0];
  const firstSentUs = clockUs();
  const cpu = process.cpuUsage();
  const usPerBody = spansPerSecond === undefined ? 0 : (options.spansPerBody / spansPerSecond) * 1e6;
  const exporter = async () => {
    const grpc = protocol === "grpc" ? openGrpc(url) : undefined;
    const post = grpc?.post ?? ((body: Buffer) => postOverHttp({ url, headers, agent, body }));
    for (let index = next++; index < to; index = next++) {
      await sleepUntil(firstSentUs + (index - from) * usPerBody);
      const startedUs = clockUs();
      repeats += await postUntilAcked(post, bodies[index] ?? Buffer.alloc(0));
      latenciesMs.push((clockUs() - startedUs) / 1000);
    }
    grpc?.close();
  };
  await Promise.all(Array.from({ length: exporters }, exporter));
  const lastAckedUs = clockUs();
  const { user, system } = process.cpuUsage(cpu);
  agent.destroy();
  const spans = (to - from) * options.spansPerBody;
  return { spans, firstSentUs, lastAckedUs, latenciesMs, repeats, cpuUs: user + system };
}

interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: Agent;
  readonly body: Buffer;
}

/** @returns how often it had to be sent again before it was acknowledged. */
async function postUntilAcked(post: (body: Buffer) => Promise<Posted>, body: Buffer): Promise<number> {
  for (let repeats = 0; ; repeats++) {
    const answer = await post(body).catch((error: Error) => error);
    if (answer instanceof Error) {
      // A kept connection that the server closes as it is used again: exporters send once more, and so does this one.
      if (repeats === triesMax) throw answer;
      await pause(50);
      continue;
    }
    const { status, retryAfterSeconds, text } = answer;
    if (status === 200) return repeats;
    if (status !== 429 && status !== 503) throw new Error(`the server answered ${status}: ${text}`);
    await pause(retryAfterSeconds * 1000);
  }
}

async function postOverHttp({ url, headers, agent, body }: Post): Promise<Posted> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(url, { method: "POST", agent, headers: { ...headers, "content-length": body.length } });
    asked.on("response", resolve).on("error", reject).end(body);
  });
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, retryAfterSeconds: Number(response.headers["retry-after"] ?? 1), text };
}

function sleepUntil(dueUs: number): Promise<void> | undefined {
  const leftMs = (dueUs - clockUs()) / 1000;
  return leftMs <= 1 ? undefined : pause(leftMs);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
