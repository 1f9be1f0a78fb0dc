/** The same calls with every SDK: plain, stream, tool, abort, error. Loaded by each application of the matrix. */

export const modes = ["plain", "stream", "tool", "abort", "error"] as const;

export type Mode = (typeof modes)[number];

export type Family = "openai" | "anthropic" | "google" | "ai" | "langchain" | "bedrock";

export interface ActionParameters {
  readonly family: Family;
  /** The SDK's modules as the application's module system loads them. */
  readonly sdk: Record<string, Constructors>;
  readonly url: string;
  readonly modes: readonly Mode[];
  /** Runs one mode under its name as the feature. */
  readonly within: (mode: Mode, work: () => Promise<void>) => Promise<void>;
}

// SDKs of four majors share no types; the calls below are what their READMEs show.
type Constructors = Record<string, Loose>;
type Loose = (new (
  options: object,
) => LooseObject) &
  ((...parameters: unknown[]) => LooseObject & Promise<LooseObject>);
type LooseObject = { [key: string]: LooseObject } & ((...parameters: unknown[]) => LooseObject & Promise<LooseObject>) &
  AsyncIterable<unknown>;

const scenarios: Record<Mode, string> = { plain: "", stream: "", tool: "tools", abort: "slow", error: "error400" };

/** Runs the modes one after the other. Errors that a mode provokes are swallowed, others are thrown. */
export async function runActions(parameters: ActionParameters): Promise<void> {
  const act = families[parameters.family](parameters.sdk, parameters.url);
  for (const mode of parameters.modes) {
    const prompt = `mode=${mode} scenario=${scenarios[mode]} hello`;
    await parameters.within(mode, async () => {
      try {
        await act(mode, prompt);
      } catch (error) {
        if (mode !== "abort" && mode !== "error") throw error;
      }
    });
  }
}

type Act = (mode: Mode, prompt: string) => Promise<void>;

const families: Record<Family, (sdk: ActionParameters["sdk"], url: string) => Act> = {
  openai: (sdk, url) => {
    const client = create(member(sdk, "OpenAI"), { apiKey: "k", baseURL: `${url}/v1`, maxRetries: 0 });
    return async (mode, prompt) => {
      const request = { model: "gpt-4o", messages: [{ role: "user", content: prompt }], stream: streams(mode) };
      await consume(await call(client, ["chat", "completions", "create"], request), mode);
    };
  },
  anthropic: (sdk, url) => {
    const client = create(member(sdk, "Anthropic"), { apiKey: "k", baseURL: url, maxRetries: 0 });
    return async (mode, prompt) => {
      const messages = [{ role: "user", content: prompt }];
      const request = { model: "claude-opus-4", max_tokens: 64, messages, stream: streams(mode) };
      await consume(await call(client, ["messages", "create"], request), mode);
    };
  },
  google: (sdk, url) => {
    const client = create(member(sdk, "GoogleGenAI"), { apiKey: "k", httpOptions: { baseUrl: url } });
    return async (mode, prompt) => {
      const name = streams(mode) ? "generateContentStream" : "generateContent";
      await consume(await call(client, ["models", name], { model: "gemini-2.5-pro", contents: prompt }), mode);
    };
  },
  ai: (sdk, url) => {
    const openai = member(sdk, "createOpenAI")({ apiKey: "k", baseURL: `${url}/v1` });
    const schema = member(sdk, "jsonSchema")({ type: "object", properties: {}, additionalProperties: true });
    const tools = { get_weather: { description: "weather", inputSchema: schema } };
    return async (mode, prompt) => {
      const controller = new AbortController();
      const model = call(openai, ["chat"], "gpt-4o");
      const options = { model, prompt, tools, maxRetries: 0, abortSignal: controller.signal, onError: () => {} };
      if (!streams(mode)) {
        await member(sdk, "generateText")(options);
        return;
      }
      const stream = member(sdk, "streamText")(options)["textStream"];
      for await (const _ of stream as AsyncIterable<unknown>) if (mode === "abort") controller.abort();
    };
  },
  bedrock: (sdk, url) => {
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const options = { region: "us-east-1", endpoint: url, maxAttempts: 1, credentials };
    const client = create(member(sdk, "BedrockRuntimeClient"), options);
    return async (mode, prompt) => {
      const input = { modelId: "amazon.nova-pro-v1:0", messages: [{ role: "user", content: [{ text: prompt }] }] };
      const name = streams(mode) ? "ConverseStreamCommand" : "ConverseCommand";
      const answer = await call(client, ["send"], create(member(sdk, name), input));
      await consume(answer["stream"] as LooseObject, mode);
    };
  },
  langchain: (sdk, url) => {
    const options = { model: "gpt-4o", apiKey: "k", configuration: { baseURL: `${url}/v1` }, maxRetries: 0 };
    const client = create(member(sdk, "ChatOpenAI"), options);
    return async (mode, prompt) => {
      await consume(await call(client, [streams(mode) ? "stream" : "invoke"], prompt), mode);
    };
  },
};

function streams(mode: Mode): boolean {
  return mode === "stream" || mode === "abort";
}

/** A named export, wherever module systems put it: beside, under or as the default. */
function member(sdk: ActionParameters["sdk"], name: string): Loose {
  for (const module of Object.values(sdk)) {
    const inner = module["default"] as unknown as Record<string, Loose> | undefined;
    const found = module[name] ?? inner?.[name] ?? (typeof inner === "function" ? inner : undefined);
    if (found !== undefined) return found as Loose;
  }
  throw new Error(`no export ${name}`);
}

function create(made: Loose, options: object): LooseObject {
  return new made(options);
}

function call(owner: LooseObject, path: readonly string[], parameter: unknown): LooseObject & Promise<LooseObject> {
  let holder = owner;
  for (const name of path.slice(0, -1)) holder = holder[name] as LooseObject;
  const method = holder[path.at(-1) ?? ""] as LooseObject;
  return method.call(holder, parameter) as LooseObject & Promise<LooseObject>;
}

async function consume(answer: LooseObject, mode: Mode): Promise<void> {
  if (!streams(mode)) return;
  let pieces = 0;
  for await (const _ of answer) {
    pieces += 1;
    if (mode === "abort" && pieces === 2) break;
  }
}
