import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { detectors } from "../detectors/detectors.ts";
import { detectorsReadme } from "./detectors-readme.ts";

const readme = readFileSync(new URL("../detectors/README.md", import.meta.url), "utf8");

it("the README of detectors/ is what the list says; if not: node test/detectors-readme.ts --write", () => {
  expect(readme).toBe(detectorsReadme());
});

it("has a section for each detector, with its kinds", () => {
  for (const { id, name, kinds } of detectors) {
    expect(readme).toContain(`### ${id} ${name}\n`);
    for (const kind of kinds) expect(readme).toContain(`\`${kind}\``);
  }
});
