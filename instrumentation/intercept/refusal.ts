/** Servers that copy OpenAI's API and refuse a request with `stream_options`. */

const refusal =
  /stream_options|include_usage|extra (?:fields|inputs|keys)|unrecognized|unknown (?:field|parameter|argument|key)|not permitted|unexpected (?:field|keyword)/i;

/** True when the text of a 400 or 422 says that a field of the request was not understood. */
export function refusesStreamUsage(text: string): boolean {
  return refusal.test(text.slice(0, 65_536));
}
