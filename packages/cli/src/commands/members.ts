import { fleetKeys } from "tenfold/coordination";
import { type Member, parseMember } from "tenfold/discovery";

import {
  type CoordinatorOptions,
  knownFleet,
  type OpenCoordinator,
  untilInterrupted,
  useCoordinator,
} from "../coordinator-access.ts";
import { print, textTable } from "../print.ts";

export interface MembersOptions extends CoordinatorOptions {
  readonly watch?: boolean;
}

/** `tenfold members [SERVICE]`: who is alive, where, and how loaded. */
export async function members(service: string | undefined, options: MembersOptions): Promise<void> {
  await useCoordinator(options, async (open) => await tell(open, service, options));
}

async function tell(
  open: OpenCoordinator,
  service: string | undefined,
  options: MembersOptions,
): Promise<void> {
  const prefix = fleetKeys(knownFleet(open)).members(service);
  if (!options.watch) {
    const { entries } = await open.coordinator.list(prefix);
    show(
      options,
      entries.flatMap(({ value }) => readable(value)),
    );
    return;
  }
  const found = new Map<string, readonly Member[]>();
  for await (const { changes } of open.coordinator.watch(prefix, { signal: untilInterrupted() })) {
    for (const change of changes) {
      if (change.kind === "delete") found.delete(change.key);
      else found.set(change.entry.key, readable(change.entry.value));
    }
    show(options, [...found.values()].flat());
  }
}

/** An entry that this version cannot read is left out, as by everybody who watches the map. */
function readable(value: string): Member[] {
  try {
    return [parseMember(value)];
  } catch {
    return [];
  }
}

function show(options: MembersOptions, found: readonly Member[]): void {
  const all = [...found].sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
  print(options, all, () => membersTable(all, Date.now()).join("\n"));
}

/** One row an instance, with what is told of it. */
function membersTable(all: readonly Member[], nowMs: number): readonly string[] {
  const head = ["instance", "service", "host", "zone", "at", "version", "weight", "load", "up"];
  return textTable(
    head,
    all.map((member) => [
      member.id,
      member.service,
      member.host,
      member.zone,
      `${member.protocol}://${member.address}:${member.port}`,
      member.version,
      String(member.weight),
      member.load === undefined
        ? "-"
        : `${Math.round(member.load.utilisation * 100)} %, ${member.load.requests}`,
      ageText(nowMs - member.startedAtMs),
    ]),
  );
}

function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} d`;
}
