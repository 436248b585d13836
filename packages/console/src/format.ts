/** Numbers as people read them: short, with their unit, and a dash for what is not known. */

export function perSecond(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value > 0 && value < 10) return `${value.toFixed(1)}/s`;
  return `${count(Math.round(value))}/s`;
}

export function count(value: number | undefined): string {
  return value === undefined ? "–" : value.toLocaleString("en");
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 10_000 ? `${count(Math.round(value))} ms` : `${(value / 1_000).toFixed(1)} s`;
}

export function bytes(value: number | undefined): string {
  if (value === undefined) return "–";
  const mebibytes = value / 1_048_576;
  return mebibytes < 1_024
    ? `${Math.round(mebibytes)} MiB`
    : `${(mebibytes / 1_024).toFixed(1)} GiB`;
}

export function percent(ratio: number | undefined): string {
  return ratio === undefined ? "–" : `${Math.round(ratio * 100)} %`;
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h` */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return "–";
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ] as const;
  let seconds = Math.max(0, Math.floor(ms / 1_000));
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const whole = Math.floor(seconds / size);
    if (whole > 0 || (unit === "s" && parts.length === 0)) parts.push(`${whole} ${unit}`);
    seconds -= whole * size;
  }
  return parts.slice(0, 2).join(" ");
}

export function clockTime(timeMs: number): string {
  return new Date(timeMs).toLocaleTimeString("en-GB");
}
