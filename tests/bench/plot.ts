// A bar chart of one run as SVG: each contender a bar, each size a group with its own scale.
import { median } from "./rounds.js";
import { ratio, readable, type Section } from "./table.js";

const [WIDTH, LABEL, BAR, STEP, FULL] = [900, 340, 14, 22, 360];

const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 } .small { font-size: 11px; fill: #59636e }
    .peer { fill: #a8b1bb } .ours { fill: #0969da }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .small { fill: #9198a1 } .peer { fill: #57606a } .ours { fill: #4493f8 }
    }`;

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** `about`: the machine and the day, below the chart. */
export function svg(sections: Section[], about: string): string {
  const parts: string[] = [];
  let y = 24;
  for (const { title, rows } of sections) {
    const bars = rows.filter(({ compared = true, values }) => compared && values.length > 0);
    const most = Math.max(...bars.map(({ values }) => median(values)));
    parts.push(`<text class="title" x="12" y="${y}">${escaped(title)}</text>`);
    for (const { what, values } of bars) {
      y += STEP;
      const length = Math.max(1, (median(values) / most) * FULL).toFixed(1);
      const told = `${readable(median(values))}  (${ratio(values, bars[0]?.values ?? [])})`;
      parts.push(
        `<text x="${LABEL - 8}" y="${y}" text-anchor="end">${escaped(what)}</text>`,
        `<rect class="${what.startsWith("cutover") ? "ours" : "peer"}" x="${LABEL}" y="${y - BAR + 2}" width="${length}" height="${BAR}" rx="2"/>`,
        `<text class="small" x="${(LABEL + Number(length) + 8).toFixed(1)}" y="${y - 1}">${told}</text>`,
      );
    }
    y += STEP * 1.7;
  }
  parts.push(`<text class="small" x="12" y="${y}">${escaped(about)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 14}" role="img" aria-label="Times of cutover beside its peers">
  <style>${STYLE}
  </style>
  ${parts.join("\n  ")}
</svg>
`;
}
