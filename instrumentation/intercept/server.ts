/** Attribution that arrives with a request from an allowed peer holds for the work on that request. */

import http from "node:http";
import type { BaggageHosts } from "../baggage.ts";
import { decodeBaggage } from "../baggage.ts";
import type { Runtime } from "../runtime.ts";

/** Patches the servers of `node:http` (those of https are the same kind); only called where hosts are configured. */
export function acceptBaggage(runtime: Runtime, hosts: BaggageHosts): void {
  const prototype = http.Server.prototype as unknown as { emit: (...parameters: unknown[]) => boolean };
  const emit = prototype.emit;
  prototype.emit = function (this: unknown, ...parameters: unknown[]): boolean {
    const [event, request] = parameters;
    const proceed = () => Reflect.apply(emit, this, parameters);
    if (event !== "request") return proceed();
    const { headers, socket } = request as http.IncomingMessage;
    const baggage = headers["baggage"];
    if (typeof baggage !== "string" || !hosts.acceptsFrom(socket.remoteAddress)) return proceed();
    return runtime.attributions.run(decodeBaggage(baggage), proceed);
  };
}
