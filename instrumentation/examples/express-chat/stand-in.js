/** Stands in for OpenAI where no key is set: the same wire format, made-up answers, usage by the length of the prompt. */

import { createServer } from "node:http";

/** Starts it on a free port and returns the base URL for an OpenAI client. */
export async function startStandIn() {
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const bytes of request) text += bytes;
    const body = JSON.parse(text);
    const prompt_tokens = Math.ceil(text.length / 4);
    if (request.url.endsWith("/embeddings")) {
      const embedding = Buffer.from(new Float32Array(8).buffer).toString("base64");
      const usage = { prompt_tokens, total_tokens: prompt_tokens };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ object: "list", model: body.model, data: [{ index: 0, embedding }], usage }));
      return;
    }
    response.setHeader("content-type", "text/event-stream");
    const send = (value) =>
      response.write(`data: ${JSON.stringify({ id: "chatcmpl-1", model: body.model, ...value })}\n\n`);
    const words = "That depends on the weather in Oslo .".split(" ");
    for (const word of words) send({ choices: [{ index: 0, delta: { content: `${word} ` }, finish_reason: null }] });
    send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    if (body.stream_options?.include_usage) {
      send({
        choices: [],
        usage: { prompt_tokens, completion_tokens: words.length, total_tokens: prompt_tokens + words.length },
      });
    }
    response.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/v1`, close: () => server.close() };
}
