/** A CPU profile as a flame graph: an SVG that any browser shows, callers below, width is time. */

import { type CpuProfile, nameOf, type ProfileNode, selfTimeOfNodes } from "./cpu-profile.ts";

/** A function under its callers, all samples of it together. */
interface Frame {
  readonly name: string;
  us: number;
  readonly callees: Map<string, Frame>;
}

const width = 1600;
const rowHeight = 17;
const fontSize = 11;
const characterWidth = 6.3;
/** Narrower frames cannot be seen. */
const widthMin = 0.4;

/** @param title stands above the graph. */
export function flameGraph(profile: CpuProfile, title: string): string {
  const root = framesOf(profile);
  const depth = depthOf(root, width / root.us);
  const height = (depth + 3) * rowHeight;
  const frames: string[] = [];
  draw({ frames, pxPerUs: width / root.us, bottom: height - rowHeight, wholeUs: root.us }, root, { x: 0, level: 0 });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="${fontSize}">
<rect width="100%" height="100%" fill="#fff"/>
<text x="4" y="${rowHeight}">${escaped(title)}</text>
${frames.join("\n")}
</svg>
`;
}

/** Stacks put together by the names of their functions. Names without a file or a function of the engine stay as they are. */
function framesOf(profile: CpuProfile): Frame {
  const times = selfTimeOfNodes(profile);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const [top] = profile.nodes;
  if (top === undefined) throw new Error("the profile is empty");
  const root: Frame = { name: "all", us: 0, callees: new Map() };
  root.us = addCallees(root, top, { times, nodes });
  return root;
}

interface Profiled {
  readonly times: ReadonlyMap<ProfileNode, number>;
  readonly nodes: ReadonlyMap<number, ProfileNode>;
}

/** @returns the time of the node and of all beneath it. */
function addCallees(frame: Frame, node: ProfileNode, profiled: Profiled): number {
  let us = profiled.times.get(node) ?? 0;
  for (const id of node.children ?? []) {
    const callee = profiled.nodes.get(id);
    if (callee === undefined) continue;
    const name = nameOf(callee.callFrame, undefined);
    const known = frame.callees.get(name) ?? { name, us: 0, callees: new Map() };
    frame.callees.set(name, known);
    const beneath = addCallees(known, callee, profiled);
    known.us += beneath;
    us += beneath;
  }
  return us;
}

function depthOf(frame: Frame, pxPerUs: number): number {
  const seen = [...frame.callees.values()].filter(({ us }) => us * pxPerUs >= widthMin);
  return 1 + Math.max(0, ...seen.map((callee) => depthOf(callee, pxPerUs)));
}

interface Drawing {
  readonly frames: string[];
  readonly pxPerUs: number;
  readonly bottom: number;
  readonly wholeUs: number;
}

function draw(drawing: Drawing, frame: Frame, { x, level }: { readonly x: number; readonly level: number }): void {
  const { frames, pxPerUs, bottom, wholeUs } = drawing;
  const px = frame.us * pxPerUs;
  if (px < widthMin) return;
  const y = bottom - (level + 1) * rowHeight;
  const share = ((100 * frame.us) / wholeUs).toFixed(1);
  const fits = Math.floor((px - 4) / characterWidth);
  const label = fits < 3 ? "" : frame.name.slice(0, fits);
  frames.push(
    `<g><title>${escaped(frame.name)}: ${share} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${px.toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(frame.name)}"/><text x="${(x + 2).toFixed(1)}" y="${y + fontSize + 1}">${escaped(label)}</text></g>`,
  );
  let left = x;
  for (const callee of [...frame.callees.values()].sort((a, b) => b.us - a.us)) {
    draw(drawing, callee, { x: left, level: level + 1 });
    left += callee.us * pxPerUs;
  }
}

/** One hue a folder, so that rooms can be told apart; grey for the engine's own. */
function colourOf(name: string): string {
  const folder = / {2}((?:src|test|instrumentation)\/[\w-]+|@?[\w-]+)/.exec(name)?.[1];
  if (folder === undefined) return "#d8d8d8";
  const hue = [...folder].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 360, 7);
  return `hsl(${hue}, 70%, 78%)`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
