import type { VNode } from "preact";
import type { MemberState } from "../../../cli/src/console/console-state.ts";
import { count, duration, percent } from "../format.ts";

export interface MembersMapProps {
  readonly members: readonly MemberState[];
  readonly timeMs: number;
}

/** Services with their instances below, in the order of their names. */
export function MembersMap({ members, timeMs }: MembersMapProps): VNode {
  if (members.length === 0) return <p class="nothing">Nobody is registered.</p>;
  const services = [...Map.groupBy(members, ({ service }) => service)].sort(([a], [b]) =>
    a.localeCompare(b, "en"),
  );
  return (
    <div class="scroll">
      <table class="members">
        <thead>
          <tr>
            <th scope="col">instance</th>
            <th scope="col">where</th>
            <th scope="col">zone</th>
            <th scope="col">host</th>
            <th scope="col">version</th>
            <th scope="col" class="number">
              weight
            </th>
            <th scope="col">load</th>
            <th scope="col" class="number">
              under way
            </th>
            <th scope="col" class="number">
              up
            </th>
          </tr>
        </thead>
        {services.map(([service, all]) => (
          <tbody key={service}>
            {all.map((member, at) => (
              <MemberRow
                key={member.name}
                member={member}
                service={at === 0 ? { name: service, size: all.length } : undefined}
                timeMs={timeMs}
              />
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

interface MemberRowProps {
  readonly member: MemberState;
  /** Of the first row of a service: named when the instances are called otherwise. */
  readonly service: { readonly name: string; readonly size: number } | undefined;
  readonly timeMs: number;
}

function MemberRow({ member, service, timeMs }: MemberRowProps): VNode {
  const { name, address, port, protocol, zone, host, version, weight, load } = member;
  const odd = service !== undefined && !name.startsWith(service.name);
  return (
    <tr>
      <th scope="row">
        {name}
        {odd ? <small> of {service.name}</small> : null}
        {member.ttlMs === undefined ? null : (
          <small title={`gone ${duration(member.ttlMs)} after its last heartbeat`}>
            {" "}
            over REST
          </small>
        )}
      </th>
      <td class="place">
        {protocol}://{address.includes(":") ? `[${address}]` : address}:{port}
      </td>
      <td>{zone}</td>
      <td>{host}</td>
      <td>{version}</td>
      <td class={weight === 0 ? "number busy" : "number"}>
        {weight === 0 ? "0, drained" : count(weight)}
      </td>
      <td>{load === undefined ? "–" : <LoadMeter utilisation={load.utilisation} />}</td>
      <td class="number">{count(load?.requests)}</td>
      <td class="number">{duration(timeMs - member.startedAtMs)}</td>
    </tr>
  );
}

const width = 72;
/** From here on an instance has little more to give. */
const busyFrom = 0.8;

function LoadMeter({ utilisation }: { readonly utilisation: number }): VNode {
  return (
    <span class={utilisation >= busyFrom ? "meter busy" : "meter"}>
      <svg width={width} height="8" aria-hidden="true">
        <rect class="track" width={width} height="8" rx="4" />
        <rect class="fill" width={Math.max(2, width * utilisation)} height="8" rx="4" />
      </svg>{" "}
      {percent(utilisation)}
    </span>
  );
}
