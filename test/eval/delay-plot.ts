/** Median delays as small multiples, one panel a stream: a line a method, logarithmic upward. */

interface Line {
  readonly label: string;
  readonly stream: string;
  readonly delays: readonly (number | null)[];
}

const [panelWidth, panelHeight, margin] = [360, 220, 46];
const [least, most] = [1, 3000];
const colours: Readonly<Record<string, string>> = {
  "portfolio, no margin, A=1e5": "#c0392b",
  "portfolio, shipped, A=1e7": "#e67e22",
  "ADWIN log, tuned": "#2c3e50",
  "CUSUM log, tuned": "#2980b9",
  "EWMA raw, tuned": "#27ae60",
  "rolling 3-sigma, tuned": "#8e44ad",
};

/** An SVG document. Methods without a colour of their own are left out: they are in the tables. */
export function delayPlot(lines: readonly Line[], scenarios: readonly string[]): string {
  const streams = [...new Set(lines.map(({ stream }) => stream))];
  const [columns, rows] = [3, Math.ceil(streams.length / 3)];
  const [width, height] = [columns * panelWidth, rows * panelHeight + 50];
  const panels = streams.map((stream, index) => {
    const [x, y] = [(index % columns) * panelWidth, Math.floor(index / columns) * panelHeight];
    const own = lines.filter((line) => line.stream === stream);
    return `<g transform="translate(${x},${y})">${panel(stream, own, scenarios)}</g>`;
  });
  const legend = Object.entries(colours).map(
    ([label, colour], index) =>
      `<g transform="translate(${20 + index * 178},${rows * panelHeight + 24})"><line x2="18" stroke="${colour}" stroke-width="2.5"/><text x="24" y="4">${label}</text></g>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11"><title>Median delay of detection by method and shift</title><rect width="100%" height="100%" fill="white"/>${panels.join("")}${legend.join("")}</svg>\n`;
}

function panel(title: string, lines: readonly Line[], scenarios: readonly string[]): string {
  const xOf = (index: number) => margin + (index * (panelWidth - margin - 24)) / Math.max(1, scenarios.length - 1);
  const yOf = (delay: number) => {
    const share = Math.log(delay / least) / Math.log(most / least);
    return panelHeight - 30 - share * (panelHeight - 60);
  };
  const grid = [1, 10, 100, 1000].map(
    (delay) =>
      `<line x1="${margin}" x2="${panelWidth - 24}" y1="${yOf(delay)}" y2="${yOf(delay)}" stroke="#ddd"/><text x="${margin - 6}" y="${yOf(delay) + 4}" text-anchor="end">${delay}</text>`,
  );
  const names = scenarios.map(
    (name, index) => `<text x="${xOf(index)}" y="${panelHeight - 12}" text-anchor="middle">${name}</text>`,
  );
  const paths = lines.flatMap(({ label, delays }) => {
    const colour = colours[label];
    if (colour === undefined) return [];
    const points = delays.flatMap((delay, index) => (delay === null ? [] : [`${xOf(index)},${yOf(delay).toFixed(1)}`]));
    const dots = points.map((point) => {
      const [x, y] = point.split(",");
      return `<circle cx="${x}" cy="${y}" r="2.5" fill="${colour}"/>`;
    });
    return [
      `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="1.8"/>${dots.join("")}`,
    ];
  });
  return `<text x="${margin}" y="18" font-weight="bold">${title}: median delay, records</text>${grid.join("")}${names.join("")}${paths.join("")}`;
}
