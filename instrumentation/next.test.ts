import { afterAll, beforeAll, expect, it } from "vitest";
import { type FakeProvider, startFakeProvider } from "./testing/fake-provider.ts";
import { usageOfSpan, usageOfTruth } from "./testing/harness.ts";
import { buildNextApp, installNextApp, startNextApp } from "./testing/next-app.ts";
import { type OtlpReceiver, startOtlpReceiver } from "./testing/otlp-receiver.ts";
import { readmeRecipe } from "./testing/readme-recipe.ts";

const missing = installNextApp();
if (missing !== undefined) {
  const line = `skipped: Next.js could not be installed (${missing})\n`;
  if (process.env["BURNWATCH_TEST_REQUIRE"]?.includes("next") === true) throw new Error(line);
  process.stderr.write(line);
}

let provider: FakeProvider;
let receiver: OtlpReceiver;

beforeAll(async () => {
  provider = await startFakeProvider();
  receiver = await startOtlpReceiver();
});
afterAll(async () => {
  await provider.close();
  await receiver.close();
});

/** What the recipe leaves to the application: one SDK over fetch, a plain call and a stream. */
const answer = `
import OpenAI from "openai";
async function answer(request) {
  const openai = new OpenAI({ maxRetries: 0 });
  const messages = [{ role: "user", content: await request.text() }];
  const { choices } = await openai.chat.completions.create({ model: "gpt-4o", messages });
  let chunks = 0;
  for await (const _ of await openai.chat.completions.create({ model: "gpt-4o", messages, stream: true })) chunks += 1;
  return { choices: choices.length, chunks };
}`;

it.skipIf(missing !== undefined)(
  "`next build && next start` with the README's two files: one exact span a call, with its feature and user",
  { timeout: 180_000 },
  async () => {
    buildNextApp({
      "instrumentation.js": readmeRecipe("next instrumentation"),
      "app/api/chat/route.js": `${readmeRecipe("next route")}${answer}`,
    });
    const server = await startNextApp({
      OPENAI_API_KEY: "k",
      OPENAI_BASE_URL: `${provider.url}/v1`,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_SERVICE_NAME: "shop",
    });
    const users = ["ada", "grace", "linus"];
    const ask = (user: string) =>
      fetch(`${server.url}/api/chat`, { method: "POST", headers: { "x-user": user }, body: `hello from ${user}` });
    const answers = await Promise.all(
      users.map(async (user) => (await (await ask(user)).json()) as { choices: number; chunks: number }),
    );
    await server.stop();
    expect(server.output().match(/burnwatch: on: .*, service "shop"/g)?.length).toBe(1);
    expect(answers.every(({ choices, chunks }) => choices === 1 && chunks > 1)).toBe(true);
    const spans = receiver.spans.filter(({ name }) => name === "chat gpt-4o");
    expect(provider.truths.length).toBe(6);
    expect(spans.length).toBe(6);
    for (const truth of provider.truths) {
      const span = spans.find(({ attributes }) => attributes["gen_ai.response.id"] === truth.id);
      expect(usageOfSpan(span)).toEqual(usageOfTruth(truth));
      const user = /hello from (\w+)/.exec(JSON.stringify(truth.request))?.[1];
      expect([span?.attributes["burnwatch.feature"], span?.attributes["user.id"]]).toEqual(["chat", user]);
    }
    const mark = receiver.spans.find(({ name }) => name === "burnwatch.final_mark");
    expect(mark?.attributes["burnwatch.record.final_sequence"]).toBe(6);
  },
);
