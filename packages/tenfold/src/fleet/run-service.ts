import type { Coordinator } from "../coordination/coordinator.ts";
import { isTenfoldError } from "../runtime/errors.ts";
import { jsonLog } from "../runtime/log.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import {
  type Environment,
  type InstanceDefaults,
  parseInstanceEnvironment,
} from "./instance-environment.ts";
import type { Instance, Service } from "./service.ts";
import { ServiceHost } from "./service-host.ts";

export interface RunServiceOptions extends Partial<Omit<InstanceDefaults, "pid">> {
  readonly connectCoordinator?: (endpoints: string, token: string) => Coordinator;
}

/** A service that owns this process. */
export interface ServiceProcess {
  /** Who it is, with the ports that it really took. */
  readonly instance: Instance;
  /** Stops gracefully; the process then exits with 0. */
  stop(): Promise<void>;
  /** Resolves when it has stopped, just before the process exits. */
  readonly done: Promise<void>;
}

/**
 * Runs a service as what this process is for. Logs JSON lines to standard output. SIGTERM (and
 * Ctrl-C, when a person started it) stops it gracefully and exits with 0, a second one exits at
 * once with 1; so does the end of the supervisor that started it, and an error that nobody caught.
 *
 * @param environment usually `process.env`; see `instanceVariables`
 * @throws TENFOLD_FLEET_ENVIRONMENT_INVALID, and what the service's start throws
 */
export async function runService(
  service: Service,
  environment: Environment,
  options: RunServiceOptions = {},
): Promise<ServiceProcess> {
  const { connectCoordinator, ...known } = options;
  const defaults = { service: service.name, ...known, pid: process.pid };
  const parsed = parseInstanceEnvironment(environment, defaults);
  const { service: serviceName, name } = parsed.instance;
  const log = jsonLog({ level: parsed.logLevel }, { service: serviceName, instance: name });
  const host = new ServiceHost({
    service,
    environment: parsed,
    runtime: { ...systemRuntime, log },
    ...(connectCoordinator && { connectCoordinator }),
  });

  const fatal = (error: unknown): never => {
    log.error("an error that nobody caught; the process ends", { error });
    process.exit(1);
  };
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", fatal);
  const done = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= host.stop().then(() => {
      done.resolve();
      process.exit(0);
    });
    return stopping;
  };
  const onSignal = (): void => {
    if (stopping !== undefined) process.exit(1);
    void stop();
  };
  process.on("SIGTERM", onSignal);
  // Under a supervisor Ctrl-C reaches the whole group; the supervisor says when it is our turn.
  process.on("SIGINT", process.connected ? () => {} : onSignal);
  if (process.connected) process.once("disconnect", () => process.exit(1));

  try {
    const instance = await host.start();
    return { instance, stop, done: done.promise };
  } catch (error) {
    if (stopping !== undefined) {
      await stopping;
      return process.exit(0);
    }
    const code = isTenfoldError(error) ? error.code : undefined;
    log.error("the service could not start", { code, error });
    await host.stop();
    return process.exit(1);
  }
}
