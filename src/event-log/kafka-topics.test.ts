import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { groupNames, groupsOf } from "./kafka-topics.ts";

const source = fileURLToPath(new URL("../", import.meta.url));

it("is the only place that names a group: whoever has one takes it from the list that doctor and lag read", () => {
  const named = globSync("{cluster,event-log,console}/**/*.ts", { cwd: source })
    .filter((file) => !file.endsWith(".test.ts") && !file.endsWith("kafka-topics.ts"))
    .flatMap((file) => readFileSync(`${source}${file}`, "utf8").split("\n"))
    .filter((line) => /const \w*[gG]roup(?:Name|s)?\b[^=]*= ["{].*["']/.test(line));
  expect(named).toEqual([]);
  expect(groupsOf({ prefix: "p" }).map(({ group }) => group)).toEqual(
    Object.values(groupNames)
      .slice(0, 7)
      .map((name) => `p.${name}`),
  );
});
