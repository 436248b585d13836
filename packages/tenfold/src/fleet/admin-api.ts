import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { errorText, isTenfoldError, TenfoldError } from "../runtime/errors.ts";
import type { EventLog } from "./event-log.ts";
import { listen } from "./http-listen.ts";
import { readJson } from "./json-body.ts";
import type { ProcessStatus } from "./managed-process.ts";
import { checkAdminRequest } from "./trust.ts";

/** One process as the admin API tells of it; away: its host's supervisor does not answer. */
export interface InstanceStatus extends Omit<ProcessStatus, "state"> {
  readonly state: ProcessStatus["state"] | "away";
  readonly name: string;
  readonly host: string;
  readonly service: string;
  readonly kind: string;
  readonly address: string;
  readonly port: number;
  readonly adminPort: number | undefined;
}

/**
 * up: its supervisor answers. unreachable: it is in the map of hosts, and does not answer. away: it
 * is not in the map either.
 */
export interface HostStatus {
  readonly name: string;
  readonly zone: string;
  readonly address: string;
  readonly state: "up" | "unreachable" | "away";
}

export interface FleetStatus {
  readonly fleet: string;
  /** The host that was asked, and its supervisor. */
  readonly host: string;
  readonly zone: string;
  readonly pid: number;
  readonly hosts: readonly HostStatus[];
  readonly instances: readonly InstanceStatus[];
}

/** What the admin API can do, for one host or for all. */
export interface AdminActions {
  status(): Promise<FleetStatus> | FleetStatus;
  /** @throws TENFOLD_FLEET_INSTANCE_UNKNOWN, TENFOLD_FLEET_INSTANCE_DOWN */
  kill(instance: string, signal: NodeJS.Signals): Promise<void> | void;
  /**
   * One instance after the other, and one request after the other; returns their names.
   * @throws TENFOLD_FLEET_INSTANCE_UNKNOWN, TENFOLD_FLEET_START_FAILED when one does not come back;
   * the rest then goes on as it is
   */
  restart(name: string): Promise<readonly string[]>;
}

export interface AdminApiOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  /** For this host alone, when asked with `scope=host`, and for the whole fleet. */
  readonly ofHost: AdminActions;
  readonly ofFleet: AdminActions;
  /** Begins to stop this host's share. */
  readonly stopSoon: () => void;
  readonly events: EventLog;
}

const bodyBytesMax = 4_096;
const waitMsMax = 30_000;
const signals = ["SIGKILL", "SIGTERM", "SIGSTOP", "SIGCONT"];

/**
 * The supervisor's admin API: `GET /v1/state`, `GET /v1/events?after=&waitMs=`,
 * `POST /v1/kill {instance, signal?}`, `POST /v1/restart {name}`, `POST /v1/stop`. With
 * `?scope=host` state, kill and restart are this host's alone; events and stop always are. Wants
 * the fleet's token and checks Host and Origin, on loopback too.
 */
export async function createAdminApi(options: AdminApiOptions): Promise<Server> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      const code = isTenfoldError(error) ? error.code : "TENFOLD_INTERNAL";
      send(response, code === "TENFOLD_INTERNAL" ? 500 : 400, failure(code, errorText(error)));
    });
  });
  await listen(server, options);
  return server;
}

async function answer(
  options: AdminApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { token, host, port, events } = options;
  const trust = checkAdminRequest(
    {
      method: request.method ?? "GET",
      host: request.headers.host,
      origin: request.headers.origin,
      authorization: request.headers.authorization,
    },
    { token, ownHosts: [`${host}:${port}`, `localhost:${port}`] },
  );
  if (!trust.ok) return send(response, trust.status, failure(trust.code, trust.message));
  const url = URL.parse(request.url ?? "/", "http://admin");
  const isOfHost = url?.searchParams.get("scope") === "host";
  const actions = isOfHost ? options.ofHost : options.ofFleet;
  switch (`${request.method} ${url?.pathname}`) {
    case "GET /v1/state":
      return send(response, 200, await actions.status());
    case "GET /v1/events": {
      const number = (name: string) => Math.max(0, Number(url?.searchParams.get(name)) || 0);
      const [after, waitMs] = [number("after"), Math.min(number("waitMs"), waitMsMax)];
      return send(response, 200, { events: await events.after(after, waitMs) });
    }
    case "POST /v1/kill": {
      const { instance, signal = "SIGKILL" } = await jsonBody(request);
      const name = textOf("instance", instance);
      if (typeof signal !== "string" || !signals.includes(signal)) {
        const message = `signal must be one of ${signals.join(", ")}`;
        return send(response, 400, failure("TENFOLD_OPTION_INVALID", message));
      }
      await actions.kill(name, signal as NodeJS.Signals);
      return send(response, 200, { killed: name, signal });
    }
    case "POST /v1/restart": {
      const name = textOf("name", (await jsonBody(request)).name);
      return send(response, 200, { restarted: await actions.restart(name) });
    }
    case "POST /v1/stop":
      options.stopSoon();
      return send(response, 202, { stopping: true });
    default:
      return send(response, 404, failure("TENFOLD_OPTION_INVALID", "no such admin operation"));
  }
}

async function jsonBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  // A body that does not end is ended by the server's own limit.
  const { signal } = new AbortController();
  return Object(await readJson(request, { bodyBytesMax, signal }));
}

function textOf(field: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new TenfoldError("TENFOLD_FLEET_REQUEST_INVALID", `The body must have a text "${field}".`);
}

function failure(code: string, message: string): object {
  return { error: { code, message } };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}
