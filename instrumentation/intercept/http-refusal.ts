/** The second try without `stream_options`, for requests over `http.request`: the application sees one request. */

import type { ClientRequest, IncomingMessage } from "node:http";
import { refusesStreamUsage } from "./refusal.ts";

const heldMax = 65_536;

/**
 * Holds an answer of 400 or 422 back until its body says why. A refusal of `stream_options` is answered by `again`,
 * whose events then stand for those of `sent`; anything else is handed over as it came.
 */
export function holdRefusal(sent: ClientRequest, again: () => ClientRequest): void {
  const emit = sent.emit.bind(sent);
  let replaced = false;
  sent.emit = ((event: string, ...values: unknown[]) => {
    if (replaced && (event === "close" || event === "error")) return true;
    const response = values[0] as IncomingMessage | undefined;
    const refused = event === "response" && (response?.statusCode === 400 || response?.statusCode === 422);
    if (!refused || response === undefined) return Reflect.apply(emit, sent, [event, ...values]);
    collect(response, (text) => {
      if (!refusesStreamUsage(text)) {
        emit("response", response);
        return;
      }
      replaced = true;
      response.resume();
      forward(again(), sent, emit);
    });
    return true;
  }) as ClientRequest["emit"];
}

/** Takes what the parser pushes until the end, decides, and only then lets it into the stream. */
function collect(response: IncomingMessage, decide: (text: string) => void): void {
  const push = response.push.bind(response);
  const held: (Buffer | null)[] = [];
  let size = 0;
  response.push = ((chunk: Buffer | null) => {
    held.push(chunk);
    size += chunk?.length ?? 0;
    if (chunk !== null && size < heldMax) return true;
    response.push = push;
    decide(Buffer.concat(held.filter((item) => item !== null)).toString("utf8"));
    for (const item of held) response.push(item);
    return true;
  }) as IncomingMessage["push"];
}

function forward(second: ClientRequest, sent: ClientRequest, emit: ClientRequest["emit"]): void {
  for (const event of ["response", "error", "close", "timeout"]) {
    second.on(event, (...values: unknown[]) => void Reflect.apply(emit, sent, [event, ...values]));
  }
  const destroy = sent.destroy.bind(sent);
  sent.destroy = (error?: Error) => {
    second.destroy(error);
    return destroy(error);
  };
}
