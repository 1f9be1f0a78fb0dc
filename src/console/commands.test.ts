import { describe, expect, test } from "vitest";
import { commands, runCommand } from "./commands.ts";
import { capture, runForTest, startTestServer } from "./test-server.ts";

async function run(...args: string[]) {
  const captured = capture();
  const code = await runCommand(commands, args, captured.io);
  return { code, out: captured.out(), err: captured.err() };
}

test("without a command, the list is printed and the exit code says that it was no use", async () => {
  const { code, out } = await run();
  expect(code).toBe(2);
  for (const command of commands) expect(out).toContain(`${command.name} `);
  expect((await run("help")).code).toBe(0);
  expect((await run("--help")).out).toBe(out);
});

test("an unknown command names the nearest one", async () => {
  expect(await run("alrets")).toMatchObject({
    code: 2,
    err: expect.stringContaining('unknown command "alrets", did you mean alerts?\nusage: burnwatch COMMAND'),
  });
});

test("help of a command is its --help", async () => {
  const { code, out } = await run("help", "cost");
  expect(code).toBe(0);
  expect(out).toBe((await run("cost", "--help")).out);
  expect(out).toMatch(/^usage: burnwatch cost \[options\]\n/);
  expect(out).toContain("--where K=V");
  expect(out).toContain("burnwatch cost --by tenant,model");
});

/** `score` reads a file and asks no server. */
const asking = commands.filter(({ name }) => name !== "score");

describe.each(asking)("$name", (command) => {
  test("has a help with options and examples that fits a terminal", () => {
    expect(command.help).toContain("--api URL");
    expect(command.help).toContain(`examples:\n  burnwatch ${command.name}`);
    for (const line of command.help.split("\n")) expect(line.length).toBeLessThanOrEqual(130);
  });

  test("names the nearest option for an unknown one", async () => {
    const { code, err } = await runForTest(command, ["--ap", "x"]);
    expect(code).toBe(2);
    expect(err).toMatch(
      new RegExp(
        `^burnwatch ${command.name}: unknown option --ap, did you mean --api\\?\nusage: burnwatch ${command.name}`,
      ),
    );
  });

  test("refuses an option without its value", async () => {
    const { code, err } = await runForTest(command, ["--api"]);
    expect(code).toBe(2);
    expect(err).toContain("argument missing");
  });

  test("refuses one argument too many", async () => {
    expect(await runForTest(command, ["a", "b", "c"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("one argument too many"),
    });
  });
});

describe.each(asking.filter(({ name }) => !["replay", "doctor"].includes(name)))(
  "$name without a server",
  (command) => {
    const needed: Readonly<Record<string, readonly string[]>> = {
      sql: ["SELECT 1"],
      prices: ["list"],
      reprice: ["--since", "1d"],
      backtest: ["--since", "1h"],
    };
    const args = needed[command.name] ?? [];

    test("says so in one line, with what to do", async () => {
      const { url, stop } = await startTestServer();
      await stop();
      const { code, err } = await runForTest(command, [...args, "--api", `${url}/`]);
      expect(code).toBe(1);
      expect(err).toBe(
        `burnwatch ${command.name}: no Burnwatch at ${url} (connection refused): start one with "npm start", or name it with --api or BURNWATCH_URL\n`,
      );
    });

    test("takes the server's address from the environment and refuses what is none", async () => {
      const { code, err } = await runForTest(command, args, { env: { BURNWATCH_URL: "localhost:4319" } });
      expect(code).toBe(1);
      expect(err).toContain('"localhost:4319" is no URL of a server\n  it should look like http://127.0.0.1:4319');
    });
  },
);
