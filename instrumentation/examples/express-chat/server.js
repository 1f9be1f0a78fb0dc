/** A small chat service. `--import @burnwatch/instrumentation/register` stands in its start command. */

import { withAttribution } from "@burnwatch/instrumentation";
import express from "express";
import OpenAI from "openai";

const openai = new OpenAI();
const app = express();
app.use(express.json());

// Every call below is recorded for this user and feature.
app.use((request, _response, next) => {
  withAttribution({ user: request.get("x-user"), feature: request.path.slice(1) }, next);
});

app.post("/chat", async (request, response) => {
  const stream = await openai.chat.completions.create({
    model: "gpt-4o",
    stream: true,
    messages: [
      { role: "system", content: "You answer in one sentence." },
      { role: "user", content: request.body.text },
    ],
  });
  for await (const chunk of stream) response.write(chunk.choices[0]?.delta.content ?? "");
  response.end("\n");
});

app.post("/search", async (request, response) => {
  const answer = await openai.embeddings.create({ model: "text-embedding-3-small", input: request.body.text });
  response.json({ dimensions: answer.data[0]?.embedding.length });
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
process.once("SIGTERM", () => server.close(() => server.closeAllConnections()));
