import type { VNode } from "preact";
import type { ServiceState } from "../../cli/src/console/console-state.ts";
import { bytes, milliseconds, percent, perSecond } from "./format.ts";

export interface ServiceTableProps {
  readonly services: readonly ServiceState[];
  readonly onRestart: (service: string) => void;
}

/** One row a service: what it is asked, how it answers, what it costs. */
export function ServiceTable({ services, onRestart }: ServiceTableProps): VNode {
  return (
    <section class="services" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">service</th>
              <th scope="col">ready</th>
              <th scope="col">calls</th>
              <th scope="col">failures</th>
              <th scope="col">median</th>
              <th scope="col">p99</th>
              <th scope="col">max</th>
              <th scope="col">CPU</th>
              <th scope="col">memory</th>
              <th scope="col">restarts</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {services.map((service) => (
              <tr key={service.name}>
                <th scope="row">{service.name}</th>
                <td class={service.ready < service.total ? "bad" : ""}>
                  {service.ready}/{service.total}
                </td>
                <td>{perSecond(service.perSecond)}</td>
                <td class={(service.failuresPerSecond ?? 0) > 0 ? "bad" : ""}>
                  {perSecond(service.failuresPerSecond)}
                </td>
                <td>{milliseconds(service.p50Ms)}</td>
                <td>{milliseconds(service.p99Ms)}</td>
                <td>{milliseconds(service.maxMs)}</td>
                <td>{percent(service.cpuRatio)}</td>
                <td>{bytes(service.memoryBytes)}</td>
                <td>{service.restarts}</td>
                <td>
                  {service.restartable ? (
                    <button
                      type="button"
                      aria-label={`Restart ${service.name} one by one`}
                      onClick={() => onRestart(service.name)}
                    >
                      restart
                    </button>
                  ) : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
