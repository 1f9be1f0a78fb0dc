/** Up to three traces that show an incident: the latest of those worth showing. */

const exemplarsMax = 3;

/** Adds a trace unless it is there; the oldest makes room. */
export function addExemplar(traceIds: string[], traceId: string): void {
  if (traceId === "" || traceIds.includes(traceId)) return;
  if (traceIds.length === exemplarsMax) traceIds.shift();
  traceIds.push(traceId);
}
