/** Sends calls as any application would: the OpenTelemetry SDK and its OTLP/HTTP exporter, with ids and times of our choice. */

import { ROOT_CONTEXT, type Tracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, type IdGenerator, TracerProvider } from "@opentelemetry/sdk-trace";
import { attributionKeys, completenessKeys, finalMarkSpanName } from "../../instrumentation/protocol.ts";
import { Delivery } from "./delivery.ts";
import type { ReplayCall } from "./replay-call.ts";
import { type ReplayIds, replayIds } from "./replay-ids.ts";
import { hrTime, spanOfCall } from "./span-of-call.ts";

export interface SenderOptions {
  /** URL of OTLP/HTTP traces. */
  readonly endpoint: string;
  readonly ids: ReplayIds;
  /** `service.instance.id`: unique per run. */
  readonly producer: string;
  readonly environment: string;
  /** Unix microseconds from which the calls' times count. */
  readonly zeroUs: number;
  readonly onDelivered: (spans: number) => void;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly giveUpMs?: number;
}

/** Of calls whose trace names no service: the sender itself. */
const serviceDefault = "burnwatch-replay";

/** The SDK retries 429 and 503 within this time, honouring Retry-After; the delivery begins anew after it. */
const exportTimeoutMs = 60_000;

export class Sender {
  readonly #options: SenderOptions;
  readonly #delivery: Delivery;
  readonly #wanted = new WantedIds();
  readonly #tracers = new Map<string, Tracer>();
  #sequence = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#delivery = new Delivery({
      ...options,
      exporter: new OTLPTraceExporter({ url: options.endpoint, timeoutMillis: exportTimeoutMs }),
      destination: options.endpoint,
    });
  }

  /** How many calls have been sent; not all need have been acknowledged. */
  get sent(): number {
    return this.#sequence;
  }

  /** Sends one call. Where a promise is returned, wait for it before the next: the server sets the pace. */
  send(call: ReplayCall): Promise<void> | undefined {
    this.#sequence++;
    const { ids, zeroUs } = this.#options;
    const { name, options, endTime, status } = spanOfCall(call, { zeroUs, sequence: this.#sequence });
    this.#wanted.next = { traceId: ids.traceId(call.traceKey), spanId: ids.spanId(call.spanKey) };
    const span = this.#tracer(call.service === "" ? serviceDefault : call.service).startSpan(
      name,
      options,
      ROOT_CONTEXT,
    );
    span.setStatus({ code: status }).end(endTime);
    return this.#delivery.room();
  }

  /** Hurries what has been sent on its way, for a pause in the trace. */
  dispatch(): Promise<void> {
    return this.#delivery.dispatch();
  }

  /** Waits until everything is acknowledged, then says how much that was and closes. Called once, at the end. */
  async finish(): Promise<void> {
    await this.#delivery.forceFlush();
    if (this.#sequence > 0) await this.#sendFinalMark();
    await this.close();
  }

  /** Ends without a final mark: what is missing stays unknown to the server. */
  async close(): Promise<void> {
    await this.#delivery.shutdown();
  }

  async #sendFinalMark(): Promise<void> {
    const { producer, now } = this.#options;
    // The mark is of this run and no record of the set: ids of its own.
    const ids = replayIds({ fileHash: "final mark", injectHash: "", salt: producer });
    this.#wanted.next = { traceId: ids.traceId(""), spanId: ids.spanId("") };
    const time = hrTime(now() * 1000);
    const [anyService = serviceDefault] = this.#tracers.keys();
    this.#tracer(anyService)
      .startSpan(
        finalMarkSpanName,
        { root: true, startTime: time, attributes: { [completenessKeys.finalSequence]: this.#sequence } },
        ROOT_CONTEXT,
      )
      .end(time);
    await this.#delivery.forceFlush();
  }

  /** One provider a service, since the service is of the resource; all share the numbering, the ids and the delivery. */
  #tracer(service: string): Tracer {
    const known = this.#tracers.get(service);
    if (known !== undefined) return known;
    const provider = new TracerProvider({
      resource: resourceFromAttributes({
        [attributionKeys.service]: service,
        [completenessKeys.producer]: this.#options.producer,
        [attributionKeys.environment]: this.#options.environment,
      }),
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#wanted,
      spanProcessors: [this.#delivery],
    });
    const tracer = provider.getTracer("burnwatch-replay");
    this.#tracers.set(service, tracer);
    return tracer;
  }
}

/** Gives out the ids that were set just before the span is started. */
class WantedIds implements IdGenerator {
  next = { traceId: "", spanId: "" };

  generateTraceId(): string {
    return this.next.traceId;
  }

  generateSpanId(): string {
    return this.next.spanId;
  }
}
