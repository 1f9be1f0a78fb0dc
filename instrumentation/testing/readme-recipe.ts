/** The README's own code, so that what is tested is what is read. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The code block under `<!-- recipe: NAME -->`, word by word. Throws where there is none. */
export function readmeRecipe(name: string): string {
  const readme = readFileSync(join(import.meta.dirname, "..", "README.md"), "utf8");
  const found = new RegExp(`<!-- recipe: ${name} -->\n\`\`\`js\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  if (found === undefined) throw new Error(`README has no recipe ${name}`);
  return found;
}
